"""Expansions: the core's outputs at first, only the new learns, and a switch that is exact."""

from __future__ import annotations

import filecmp
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from hanlin.config import ExpandConfig
from hanlin.errors import ModelError
from hanlin.models import (
    Decoder,
    flops_per_token,
    forward_flops_per_token,
    load_release,
    save_expansion,
    save_release,
    step_flops_per_token,
)
from hanlin.models.expansion import (
    Expansion,
    apply_expansion,
    begin_expansion,
    extract_expansion,
    list_expansions,
)

SHAPES = ["gpt2", "gpt2-untied", "llama", "qwen2", "qwen3"]
CONFIGS = {
    "blocks": ExpandConfig(method="blocks", blocks=3),
    "lora": ExpandConfig(method="lora", rank=4, alpha=8.0),
    "lora-chosen": ExpandConfig(method="lora", rank=2, matrices=("qkv", "down"), layers=(0, 2)),
    "mlp": ExpandConfig(method="mlp"),
    "mlp-partly": ExpandConfig(method="mlp", mlp_factor=1.3),
    "mlp-zero": ExpandConfig(method="mlp", mlp_factor=1.5, mlp_start="zero"),
    "layers": ExpandConfig(method="layers", layers=(1, 2)),
}


def begin(core: Decoder, config: ExpandConfig) -> Decoder:
    return begin_expansion(core, config, torch.Generator().manual_seed(5))


def learn(module: Decoder) -> Expansion:
    """Move what may learn as an optimiser would: by its gradient, a few times."""
    rows = torch.arange(30).view(2, 15)
    learning = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(rows).flatten(0, 1), rows.flatten()).backward()
        assert all(p.grad is None for p in module.parameters() if not p.requires_grad)
        optimizer.step()
    return extract_expansion(module, ExpandConfig())


def grow(core: Decoder, config: ExpandConfig) -> tuple[Decoder, Expansion]:
    module = begin(core, config)
    return module, Expansion(config, learn(module).tensors)


@torch.no_grad()
def logits(model: Decoder) -> torch.Tensor:
    return model(torch.arange(36).view(2, 18))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", CONFIGS)
def test_an_expansion_begins_with_the_outputs_of_its_core(make, shape, kind):
    core = make(shape)
    before = {name: tensor.clone() for name, tensor in core.state_dict().items()}
    module = begin(core, CONFIGS[kind])
    gap = (logits(module) - logits(core)).abs().max()
    assert gap < 1e-5
    if kind.split("-")[0] in ("blocks", "lora", "layers"):
        assert gap == 0
    assert isinstance(module, Decoder)
    assert all(torch.equal(tensor, before[name]) for name, tensor in core.state_dict().items())


@pytest.mark.parametrize("kind", ["lora", "mlp", "layers"])
def test_a_banded_core_can_be_expanded_where_its_layers_keep_their_places(make, kind):
    core = make("qwen3-banded")
    assert (logits(begin(core, CONFIGS[kind])) - logits(core)).abs().max() < 1e-5


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", CONFIGS)
def test_what_was_learnt_lies_over_the_core_again(make, shape, kind):
    core = make(shape)
    module, expansion = grow(core, CONFIGS[kind])
    assert (logits(module) - logits(core)).abs().max() > 1e-2
    merged = apply_expansion(core, expansion)
    torch.testing.assert_close(logits(merged), logits(module), rtol=1e-5, atol=2e-5)
    plain = Decoder(merged.config).state_dict()
    assert {n: t.shape for n, t in merged.state_dict().items()} == {
        n: t.shape for n, t in plain.items()
    }
    assert all(parameter.requires_grad for parameter in merged.parameters())


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_merged_model_generates_with_its_cache_and_is_an_ordinary_release(make, tmp_path, kind):
    core = make("qwen3")
    _, expansion = grow(core, CONFIGS[kind])
    merged = apply_expansion(core, expansion)
    ids = torch.arange(12)[None]
    cache = merged.new_cache(1, 12)
    pieces = torch.cat([merged(ids[:, :5], cache=cache), merged(ids[:, 5:], cache=cache)], dim=1)
    torch.testing.assert_close(pieces, merged(ids), rtol=1e-4, atol=1e-5)
    save_release(tmp_path / "plain", merged)
    assert torch.equal(logits(load_release(tmp_path / "plain")), logits(merged))


def test_new_blocks_stand_behind_each_group_and_alone_learn(make):
    core = make("gpt2", num_layers=4)
    module = begin(core, ExpandConfig(blocks=2))
    learning = {n.split(".")[1] for n, p in module.named_parameters() if p.requires_grad}
    assert learning == {"2", "5"}
    assert [block.attention.layer for block in module.blocks] == list(range(6))
    assert module.blocks[2].attention.output.bias.abs().max() == 0
    assert torch.equal(module.blocks[5].mlp.up.weight, core.blocks[3].mlp.up.weight)


def test_an_optimiser_of_matrices_finds_those_of_new_units_by_themselves(make):
    module = begin(make("llama"), CONFIGS["mlp-partly"])
    rows = module.fused_rows()
    new = module.blocks[0].mlp.new.gate_up.weight.shape[0] // 2
    assert rows["blocks.0.mlp.new.gate_up.weight"] == (new, new)
    old = module.config.resolved_intermediate_size - new
    assert rows["blocks.0.mlp.old.gate_up.weight"] == (old, old)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_release_gives_the_core_or_an_expansion_by_name(make, tmp_path, dtype):
    core = make("qwen3")
    save_release(tmp_path / "core", core)
    _, law = grow(core, CONFIGS["blocks"])
    _, medicine = grow(core, CONFIGS["lora"])
    save_expansion(tmp_path / "one", tmp_path / "core", "law", law)
    save_expansion(tmp_path / "two", tmp_path / "one", "medicine", medicine)
    assert list_expansions(tmp_path / "two") == ["law", "medicine"]

    def load(folder: str, name: str | None = None) -> torch.Tensor:
        return logits(load_release(tmp_path / folder, expansion=name, dtype=dtype)).float()

    wanted = {name: apply_expansion(core, e) for name, e in (("law", law), ("medicine", medicine))}
    for name, model in wanted.items():
        assert torch.equal(load("two", name), logits(model.to(dtype)).float())
    assert torch.equal(load("two"), load("two", "medicine"))
    assert torch.equal(load("one"), load("one", "law"))
    assert torch.equal(load("two", ""), load("core"))


def test_the_files_of_the_core_are_copied_byte_for_byte(make, tmp_path):
    save_release(tmp_path / "core", make("gpt2"), card="# core\n")
    core = load_release(tmp_path / "core")
    save_expansion(tmp_path / "new", tmp_path / "core", "law", grow(core, CONFIGS["mlp"])[1])
    files = [path.name for path in (tmp_path / "core").iterdir()]
    same, other, lost = filecmp.cmpfiles(tmp_path / "core", tmp_path / "new", files, shallow=False)
    assert (sorted(same), other, lost) == (sorted(files), [], [])
    added = {path.name for path in (tmp_path / "new").iterdir()} - set(files)
    assert added == {"expansions"}


def test_transformers_reads_the_core_of_an_expanded_release(make, tmp_path):
    transformers = pytest.importorskip("transformers")
    core = make("qwen3")
    save_release(tmp_path / "core", core)
    save_expansion(tmp_path / "new", tmp_path / "core", "law", grow(core, CONFIGS["blocks"])[1])
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "new").eval()
    with torch.no_grad():
        found = theirs(torch.arange(36).view(2, 18)).logits
    torch.testing.assert_close(found, logits(core), rtol=1e-4, atol=1e-4)


@pytest.fixture
def expanded(make: Callable[..., Decoder], tmp_path: Path) -> Path:
    core = make("qwen3")
    save_release(tmp_path / "core", core)
    _, expansion = grow(core, CONFIGS["layers"])
    save_expansion(tmp_path / "new", tmp_path / "core", "law", expansion)
    return tmp_path / "new"


def test_an_unknown_name_is_refused_with_those_that_are_there(expanded):
    with pytest.raises(ModelError, match="no expansion 'lore'; it has law"):
        load_release(expanded, expansion="lore")


def test_a_name_that_is_taken_is_refused(make, expanded, tmp_path):
    _, expansion = grow(load_release(expanded, expansion=""), CONFIGS["layers"])
    with pytest.raises(ModelError, match="an expansion 'law' beside this core already"):
        save_expansion(tmp_path / "again", expanded, "law", expansion)


def test_another_core_is_refused(make, expanded, tmp_path):
    save_release(tmp_path / "other", make("qwen3", seed=2))
    (tmp_path / "other" / "model.safetensors").replace(expanded / "model.safetensors")
    load_release(expanded, expansion="")
    with pytest.raises(ModelError, match=r"'law' in .* was learnt beside other weights"):
        load_release(expanded)


def test_an_altered_expansion_is_refused(expanded):
    path = expanded / "expansions/law/expansion.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="was altered"):
        load_release(expanded)


def test_tensors_of_another_expansion_are_refused(make, expanded):
    path = expanded / "expansions/law/expansion.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**record, "settings": {"method": "layers", "layers": [1]}}))
    with pytest.raises(ModelError, match="holds, against its settings, the tensor blocks"):
        load_release(expanded)
    path.write_text(json.dumps({**record, "tensors": "0"}))
    with pytest.raises(ModelError, match="does not hold the tensors"):
        load_release(expanded)
    path.write_text(json.dumps({**record, "format": 9}))
    with pytest.raises(ModelError, match="has the format 9"):
        load_release(expanded)


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ("qwen3", {"blocks": 2}, r"3 layers .* expand\.blocks = 2 .*\[1, 3\]"),
        ("qwen3-banded", {"blocks": 3}, "alternate between dense and banded"),
        ("gpt2", {"method": "layers", "layers": (3,)}, "names layer 3, but the core has 3"),
        ("gpt2", {"method": "lora", "layers": (7,), "rank": 2}, "names layer 7"),
        ("gpt2", {"method": "lora", "rank": 32}, r"expand\.rank 32 is not below .* width 32"),
    ],
)
def test_an_expansion_that_does_not_fit_the_core_is_refused(make, shape, settings, message):
    with pytest.raises(ModelError, match=message):
        begin(make(shape), ExpandConfig(**settings))


def counted_by_torch(module: Decoder) -> float:
    """Return the operations of the matrix products that a step really does, for one token."""
    rows = torch.arange(48).view(2, 24)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        torch.nn.functional.cross_entropy(module(rows).flatten(0, 1), rows.flatten()).backward()
    return counter.get_total_flops() / rows.numel()


@pytest.mark.parametrize("shape", ["gpt2", "gpt2-untied", "qwen3"])
@pytest.mark.parametrize("name", [*CONFIGS, "all"])
def test_a_step_is_counted_as_what_torch_does_in_it(make, shape, name):
    core = make(shape)
    module = core.train() if name == "all" else begin(core, CONFIGS[name]).train()
    # Biases and norms, which are no matrix products, are all that lies between the counts.
    assert step_flops_per_token(module, 24) == pytest.approx(counted_by_torch(module), rel=0.04)


def test_nothing_is_spared_where_all_learn_and_no_gradient_is_priced_where_nothing_does(make):
    core = make("llama")
    assert step_flops_per_token(core, 40) == flops_per_token(core.config, 40)
    frozen = make("llama").requires_grad_(False)
    assert step_flops_per_token(frozen, 40) == forward_flops_per_token(core.config, 40)


def test_below_the_first_layer_that_learns_only_the_forward_pass_counts(make):
    core = make("llama")
    shape = core.config
    late, early = (begin(core, ExpandConfig(method="layers", layers=(n,))) for n in (2, 0))
    saved = step_flops_per_token(early, 40) - step_flops_per_token(late, 40)
    attention = 4 * shape.num_heads * shape.resolved_head_dim * 40
    assert saved == 2 * (2 * sum(p.numel() for p in core.blocks[0].parameters()) + 2 * attention)
