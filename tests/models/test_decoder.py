"""The decoder against itself: cached and uncached, masked and alone, causal and banded."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from hanlin.config import ModelConfig
from hanlin.errors import ModelError
from hanlin.models import Decoder, build_model, resolve_model

SHAPES = ["gpt2", "gpt2-banded", "llama", "qwen2", "qwen3", "qwen3-banded"]


def some_ids(batch: int = 2, length: int = 17) -> Tensor:
    return torch.randint(0, 96, (batch, length), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pieces", [(17,), (1,) * 17, (9, 1, 1, 6)])
@torch.inference_mode()
def test_cached_logits_equal_uncached_ones(make, shape, pieces):
    model, ids = make(shape), some_ids()
    cache = model.new_cache(2, 20)
    parts = [model(piece, cache=cache) for piece in ids.split(list(pieces), dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), model(ids), atol=2e-5, rtol=1e-4)
    assert cache.length == 17


@pytest.mark.parametrize("shape", SHAPES)
@torch.inference_mode()
def test_left_padding_changes_nothing(make, shape):
    model, ids = make(shape), some_ids(1, 9)
    padded = torch.cat((torch.zeros(1, 4, dtype=torch.long), ids), dim=1)
    cache = model.new_cache(2, 20, padding=torch.tensor([4, 0]))
    both = torch.cat((padded, some_ids(1, 13)))
    steps = [model(part, cache=cache) for part in both.split([8, 1, 4], dim=1)]
    torch.testing.assert_close(torch.cat(steps, dim=1)[:1, 4:], model(ids), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@torch.inference_mode()
def test_a_segment_sees_only_itself(make, shape):
    model, ids = make(shape), some_ids(1, 12)
    segments = torch.tensor([[0] * 5 + [1] * 7])
    joined = model(ids, segment_ids=segments)
    torch.testing.assert_close(joined[:, :5], model(ids[:, :5]), atol=2e-5, rtol=1e-4)
    other = torch.cat(((ids[:, :5] + 1) % 96, ids[:, 5:]), dim=1)
    torch.testing.assert_close(
        joined[:, 5:], model(other, segment_ids=segments)[:, 5:], atol=2e-5, rtol=1e-4
    )
    if model.positions is None:  # rotary positions are relative, so the place does not matter
        torch.testing.assert_close(joined[:, 5:], model(ids[:, 5:]), atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@torch.inference_mode()
def test_no_token_sees_the_future(make, shape):
    model, ids = make(shape), some_ids()
    changed = ids.clone()
    changed[:, 10:] = (changed[:, 10:] + 1) % 96
    torch.testing.assert_close(model(ids)[:, :10], model(changed)[:, :10])
    assert not torch.allclose(model(ids)[:, 10:], model(changed)[:, 10:])


@pytest.mark.parametrize("family", ["gpt2", "qwen3"])
@torch.inference_mode()
def test_a_banded_layer_sees_exactly_the_band(make, family):
    model = make(f"{family}-banded", num_layers=2)
    model.blocks[0].attention.output.weight.zero_()  # leaves only the banded layer to look back
    ids = some_ids(1, 12)
    for distance, seen in ((4, True), (5, False)):
        changed = ids.clone()
        changed[0, 11 - distance] = (changed[0, 11 - distance] + 1) % 96
        assert (not torch.equal(model(ids)[0, 11], model(changed)[0, 11])) is seen


@pytest.mark.parametrize("shape", ["gpt2", "qwen3", "qwen3-banded"])
def test_bf16_weights_work_forward_and_backward(make, shape):
    model, ids = make(shape), some_ids()
    exact = model(ids).detach()
    rounded = model.to(torch.bfloat16)(ids)
    assert rounded.dtype == torch.bfloat16
    assert (exact.log_softmax(-1) - rounded.float().log_softmax(-1)).abs().mean() < 0.15
    rounded.float().logsumexp(-1).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_training_works_after_the_tables_were_made_in_inference_mode(make):
    model, ids = make("qwen3"), some_ids()
    with torch.inference_mode():
        model(ids)
    model(ids).sum().backward()
    assert model.embedding.weight.grad is not None


def test_hidden_and_head_make_up_the_logits(make):
    model, ids = make("llama"), some_ids()
    torch.testing.assert_close(model.head(model.hidden(ids)), model(ids))


def test_tokens_beyond_the_context_are_refused_with_both_numbers(make):
    with pytest.raises(ModelError, match=r"41 tokens .* context_length 40"):
        make()(torch.zeros(1, 41, dtype=torch.long))


def test_dropout_acts_in_training_only(make):
    model, ids = make("qwen3", dropout=0.5), some_ids()
    assert torch.equal(model(ids), model(ids))
    model.train()
    torch.manual_seed(0)
    assert not torch.equal(model(ids), model(ids))


def test_a_projection_that_begins_at_zero_makes_blocks_the_identity():
    config = resolve_model(ModelConfig(hidden_size=32, num_heads=2), 64)
    model = build_model(config, seed=1)
    ids = some_ids(1, 8) % 64
    torch.testing.assert_close(model.hidden(ids), model.norm(model.embedding(ids)))


def test_the_same_seed_gives_the_same_weights_and_leaves_torch_alone():
    config = resolve_model(ModelConfig(hidden_size=32, num_heads=2), 64)
    before = torch.get_rng_state()
    first, second, other = (build_model(config, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )
    assert not torch.equal(first.embedding.weight, other.embedding.weight)


def test_gpt2_begins_as_gpt2_does():
    shape = ModelConfig(family="gpt2", hidden_size=128, num_heads=4, num_layers=8)
    model = build_model(resolve_model(shape, 512), seed=1)
    block = model.blocks[3]
    assert block.attention.qkv.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert block.mlp.down.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)
    assert not block.attention.qkv.bias.any()


@pytest.mark.parametrize("zero_init", [True, False])
@pytest.mark.parametrize("width", [64, 768])
@torch.inference_mode()
def test_a_fresh_model_begins_near_the_loss_of_guessing(width, zero_init):
    shape = ModelConfig(hidden_size=width, num_heads=4, num_layers=1, zero_init=zero_init)
    model = build_model(resolve_model(shape, 2048), seed=1)
    logits = model(some_ids(1, 60))[0, :-1]
    loss = F.cross_entropy(logits, some_ids(1, 60)[0, 1:]).item()
    assert loss == pytest.approx(math.log(2048), abs=0.3)


def test_fused_parameters_say_which_rows_are_which_matrix(make):
    rows = make("qwen3").fused_rows()
    assert rows["blocks.0.attention.qkv.weight"] == (48, 24, 24)
    assert rows["blocks.2.mlp.gate_up.weight"] == (96, 96)
    assert all(
        sum(rows[name]) == p.shape[0]
        for name, p in make("qwen3").named_parameters()
        if name in rows
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"vocab_size": 0}, "resolve_model"),
        ({"family": "llama", "attention": "banded"}, "no place"),
        ({"family": "gpt2", "head_dim": 16}, r"4 x head_dim 16 = 64 differs from hidden_size 32"),
    ],
)
def test_shapes_that_no_release_can_hold_are_refused(fields, message):
    config = ModelConfig(**{"vocab_size": 64, "hidden_size": 32, "num_heads": 4, **fields})
    with pytest.raises(ModelError, match=message):
        Decoder(config)
