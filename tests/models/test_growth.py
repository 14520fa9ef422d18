"""A grown model computes what it did, its copies part, and what cannot be kept is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from hanlin.config import ModelConfig
from hanlin.errors import ModelError
from hanlin.models import Decoder, resolve_model
from hanlin.models.growth import grow, shrink, target_shape

FAMILIES = ["gpt2", "gpt2-untied", "llama", "qwen2", "qwen3"]
"""Between them: LayerNorm and RMSNorm, biases, learned positions, QK-norm, grouped queries."""
LARGER = {
    "depth": {"num_layers": 5},
    "width": {"hidden_size": 64},
    "threefold width": {"hidden_size": 96},
    "both": {"hidden_size": 64, "num_layers": 7},
    "wider mlp": {"intermediate_size": 200},
}


def some_ids() -> Tensor:
    return torch.randint(0, 96, (2, 24), generator=torch.Generator().manual_seed(3))


def grown(model: Decoder, depth: str = "identity", **asked: object) -> Decoder:
    shape = target_shape(ModelConfig(**asked), model.config)
    generator = torch.Generator().manual_seed(5)
    return grow(model, shape, depth=depth, generator=generator).eval()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("asked", LARGER.values(), ids=LARGER)
@torch.no_grad()
def test_the_logits_of_a_grown_model_are_those_of_its_start(make, family, asked):
    model = make(family)
    larger = grown(model, **asked)
    assert sum(p.numel() for p in larger.parameters()) > sum(p.numel() for p in model.parameters())
    torch.testing.assert_close(larger(some_ids()), model(some_ids()), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_models_of_these_tests_attend_unevenly(make):
    model = make("qwen3")
    first, other = some_ids(), some_ids()
    other[:, 0] = (other[:, 0] + 1) % 96
    late = model(first)[:, -1] - model(other)[:, -1]
    assert late.abs().max() > 0.01  # what the last token says depends on one far away


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"num_kv_heads": 2}, {"num_heads": 8, "num_kv_heads": 2}),
        ({"num_kv_heads": 2}, {"num_heads": 8, "num_kv_heads": 4}),
        ({"num_kv_heads": 2}, {"num_heads": 8, "num_kv_heads": 8}),
        ({"num_kv_heads": 2}, {"num_heads": 6, "num_kv_heads": 3, "head_dim": 12}),
        ({"num_kv_heads": 4}, {"num_heads": 12, "num_kv_heads": 6, "head_dim": 12}),
        ({"num_kv_heads": 1}, {"num_heads": 5, "num_kv_heads": 1, "head_dim": 12}),
    ],
)
@torch.no_grad()
def test_query_heads_stay_with_their_key_heads(make, before, after):
    model = make("qwen3", **before)
    torch.testing.assert_close(
        grown(model, **after)(some_ids()), model(some_ids()), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("family", ["gpt2-banded", "qwen3-banded"])
@torch.no_grad()
def test_a_banded_model_keeps_its_dense_layers_dense(make, family):
    model = make(family, num_layers=4)
    larger = grown(model, num_layers=6, hidden_size=64)
    torch.testing.assert_close(larger(some_ids()), model(some_ids()), atol=1e-4, rtol=1e-4)
    with pytest.raises(ModelError, match="even number of layers"):
        grown(model, num_layers=5)


@torch.no_grad()
def test_a_tied_head_may_come_untied_and_a_rotary_context_longer(make):
    model = make("qwen2")
    larger = grown(model, hidden_size=64, tie_embeddings=False, context_length=80)
    torch.testing.assert_close(larger(some_ids()), model(some_ids()), atol=1e-4, rtol=1e-4)
    assert larger.unembedding is not None
    assert larger(torch.zeros(1, 80, dtype=torch.long)).shape == (1, 80, 96)


def test_a_stacked_model_repeats_the_stack(make):
    model = make("qwen3")
    larger = grown(model, "stack", num_layers=6)
    for layer in range(6):
        ours = larger.blocks[layer].state_dict()
        for name, tensor in model.blocks[layer % 3].state_dict().items():
            assert torch.equal(ours[name], tensor), name


def _train(model: Decoder, steps: int) -> None:
    ids = torch.cat((some_ids(), some_ids().flip(1)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(steps):
        loss = F.cross_entropy(model(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _effective(model: Decoder, name: str) -> Tensor:
    """Return a matrix as it acts on a stream whose dimensions are doubled and agree."""
    weight = model.get_parameter(name).detach()
    return weight[:, :32] + weight[:, 32:]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("part", ["mlp.up", "attention.qkv"])
def test_copies_learn_apart_even_under_adam(make, family, part):
    if part == "mlp.up" and not family.startswith("gpt2"):
        part = "mlp.gate_up"
    start = make(family)
    larger, name = grown(start, hidden_size=64), f"blocks.1.{part}.weight"
    config = start.config
    count = config.num_heads * config.resolved_head_dim
    if part != "attention.qkv":
        count = config.resolved_intermediate_size
    before = _effective(larger, name)
    torch.testing.assert_close(before[:count], before[count : 2 * count])
    _train(larger, 10)
    after = _effective(larger, name)
    parted = (after[:count] - after[count : 2 * count]).norm()
    assert parted > 0.1 * (after - before)[: 2 * count].norm()


def test_copies_in_silent_blocks_learn_apart_too(make):
    larger = grown(make("qwen3"), num_layers=6, intermediate_size=192)
    _train(larger, 4)
    down = larger.blocks[1].mlp.down.weight
    assert down.abs().max() > 0  # it was silent
    assert not torch.allclose(down[:, 0], down[:, 96], atol=1e-4)


def test_the_same_seed_grows_the_same_model(make):
    first, second = grown(make(), hidden_size=64), grown(make(), hidden_size=64)
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_start_is_left_as_it_was(make):
    model = make()
    before = [parameter.clone() for parameter in model.parameters()]
    larger = grown(model, num_layers=4)
    with torch.no_grad():
        for parameter in larger.parameters():
            parameter.zero_()
    for parameter, kept in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, kept)


def test_what_is_left_out_is_taken_from_the_start():
    start = resolve_model(
        ModelConfig(family="llama", hidden_size=64, num_heads=4, num_kv_heads=2), 500
    )
    shape = target_shape(ModelConfig(hidden_size=128, num_layers=9), start)
    assert (shape.family, shape.vocab_size, shape.num_layers) == ("llama", 512, 9)
    assert (shape.num_heads, shape.num_kv_heads, shape.head_dim) == (8, 4, 16)
    assert shape.intermediate_size == 2 * start.intermediate_size
    preset = target_shape(ModelConfig(preset="14m"), resolve_model(ModelConfig(), 500))
    assert (preset.hidden_size, preset.num_layers, preset.num_heads) == (384, 6, 6)


@pytest.mark.parametrize(
    ("shape", "asked", "message"),
    [
        ("qwen3", {"hidden_size": 48}, "hidden_size 48 is no whole multiple of 32"),
        ("qwen3", {"hidden_size": 16}, "hidden_size 16 is less than 32"),
        ("qwen3", {"num_layers": 2}, "num_layers 2 is less than 3"),
        ("qwen3", {"family": "llama"}, "A qwen3 model .* into a llama model"),
        ("qwen3", {"vocab_size": 256}, "vocab_size 96 would become 256"),
        ("qwen3", {"num_heads": 8, "num_kv_heads": 1}, "num_kv_heads 1 is less than 2"),
        ("qwen3", {"num_heads": 4, "num_kv_heads": 4, "num_layers": 4}, None),
        ("qwen3", {"head_dim": 16}, "head_dim 12 would become 16"),
        ("qwen3", {"rope_theta": 500.0}, "rope_theta 10000.0 would become 500.0"),
        ("qwen3", {"context_length": 16}, "context_length 16 is less than 40"),
        ("gpt2", {"context_length": 64}, "context_length 64 is more than the 40 positions"),
        ("gpt2", {"hidden_size": 64, "num_heads": 4}, "leave num_heads out"),
        ("gpt2-untied", {"tie_embeddings": True}, "head has weights of its own"),
    ],
)
def test_what_growth_cannot_keep_is_refused_by_name(make, shape, asked, message):
    model = make(shape)
    if message is None:
        grown(model, **asked)
        return
    with pytest.raises(ModelError, match=message):
        grown(model, **asked)


def test_a_stack_that_is_no_whole_multiple_is_refused(make):
    with pytest.raises(ModelError, match="num_layers 5 is no whole multiple of 3"):
        grown(make(), "stack", num_layers=5)


def test_an_impossible_shape_is_refused_before_anything_is_copied(make):
    with pytest.raises(ModelError, match="the gpt2 family has no grouped queries"):
        grown(make(), family="gpt2")


def test_query_heads_that_would_lose_their_key_head_are_refused(make):
    model = make("qwen3", num_heads=8)
    with pytest.raises(ModelError, match="no place for all 4 query heads of a key head"):
        grown(model, num_heads=9, num_kv_heads=3, head_dim=12)


def _shrunk(model: Decoder, **asked: object) -> Decoder:
    return shrink(model, target_shape(ModelConfig(**asked), model.config))


def test_a_shrunk_model_has_every_other_block_of_its_start(make):
    model = make("gpt2-untied", num_layers=5)
    smaller = _shrunk(model, num_layers=3)
    for ours, theirs in enumerate((0, 2, 4)):
        for name, tensor in smaller.blocks[ours].state_dict().items():
            assert torch.equal(tensor, model.blocks[theirs].state_dict()[name])
    assert torch.equal(smaller.embedding.weight, model.embedding.weight)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"num_layers": 2, "hidden_size": 16}, "hidden_size 32 would become 16"),
        ({"num_layers": 4}, "num_layers 4 is more than 3"),
    ],
)
def test_a_student_of_another_width_cannot_be_cut_out(make, asked, message):
    with pytest.raises(ModelError, match=f"{message}.*leave out `from`"):
        _shrunk(make(), **asked)
