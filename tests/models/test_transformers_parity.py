"""transformers' models and ours: the same numbers in both directions, whoever wrote the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from hanlin.models import Decoder, load_release, save_release

transformers = pytest.importorskip("transformers")

COMMON: dict[str, Any] = {"vocab_size": 96, "initializer_range": 0.3}
LLAMA: dict[str, Any] = {
    **COMMON,
    "hidden_size": 32,
    "intermediate_size": 56,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "rope_parameters": {"rope_type": "default", "rope_theta": 500.0},
}
GPT2: dict[str, Any] = {**COMMON, "n_positions": 64, "n_embd": 32, "n_layer": 3, "n_head": 4}

FOREIGN: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2", GPT2),
    "gpt2, untied, own width": ("GPT2", {**GPT2, "tie_word_embeddings": False, "n_inner": 72}),
    "gpt_neo": (
        "GPTNeo",
        {
            **COMMON,
            "max_position_embeddings": 64,
            "hidden_size": 32,
            "num_layers": 3,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1], [["global"], 1]],
            "window_size": 5,
        },
    ),
    "llama": ("Llama", {**LLAMA, "num_key_value_heads": 2}),
    "llama, tied, wide heads": ("Llama", {**LLAMA, "tie_word_embeddings": True, "head_dim": 16}),
    "qwen2": ("Qwen2", {**LLAMA, "num_key_value_heads": 1, "tie_word_embeddings": True}),
    "qwen2, untied": ("Qwen2", {**LLAMA, "num_key_value_heads": 4}),
    "qwen3": ("Qwen3", {**LLAMA, "num_key_value_heads": 2, "head_dim": 16}),
    "qwen3, tied": (
        "Qwen3",
        {**LLAMA, "num_key_value_heads": 4, "head_dim": 8, "tie_word_embeddings": True},
    ),
    "qwen3, banded": (
        "Qwen3",
        {
            **LLAMA,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "use_sliding_window": True,
            "sliding_window": 5,
            "layer_types": ["full_attention", "sliding_attention", "full_attention"],
        },
    ),
}


def foreign_model(name: str) -> Any:
    """Return a transformers model whose biases and gains matter and whose attention is sharp."""
    family, fields = FOREIGN[name]
    config = getattr(transformers, f"{family}Config")(
        **fields, bos_token_id=None, eos_token_id=None, pad_token_id=None
    )
    torch.manual_seed(1)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn(parameter.shape))
    return model.eval()


def some_ids() -> torch.Tensor:
    return torch.randint(0, 96, (2, 30), generator=torch.Generator().manual_seed(3))


@torch.inference_mode()
def assert_same(ours: Decoder, theirs: Any) -> None:
    ids = some_ids()
    found = ours(ids).log_softmax(-1)
    wanted = theirs(ids).logits.log_softmax(-1)
    assert wanted.std() > 0.3
    assert (found - wanted).abs().max() < 1e-4
    prompt = ids[:1, :8]
    text = theirs.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=30, do_sample=False
    )
    assert greedy(ours, prompt) == text[0].tolist()


def greedy(model: Decoder, ids: torch.Tensor) -> list[int]:
    cache, step = model.new_cache(1, 40), ids
    for _ in range(30):
        step = model(step, cache=cache)[:, -1:].argmax(-1)
        ids = torch.cat((ids, step), dim=1)
    return ids[0].tolist()


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_folder_computes_the_same_here(tmp_path, name):
    theirs = foreign_model(name)
    theirs.save_pretrained(tmp_path / "foreign")
    assert_same(load_release(tmp_path / "foreign"), theirs)


def test_a_sharded_foreign_folder_is_read(tmp_path):
    theirs = foreign_model("llama")
    theirs.save_pretrained(tmp_path / "foreign", max_shard_size="20KB")
    assert (tmp_path / "foreign" / "model.safetensors.index.json").exists()
    assert_same(load_release(tmp_path / "foreign"), theirs)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_folder_saved_here_goes_back(tmp_path, name):
    theirs = foreign_model(name)
    theirs.save_pretrained(tmp_path / "foreign")
    save_release(tmp_path / "ours", load_release(tmp_path / "foreign"))
    assert_same(load_release(tmp_path / "ours"), read_by_transformers(tmp_path / "ours"))


@pytest.mark.parametrize(
    "shape", ["gpt2", "gpt2-untied", "gpt2-banded", "llama", "qwen2", "qwen3", "qwen3-banded"]
)
def test_a_release_computes_the_same_in_transformers(make, tmp_path, shape):
    ours = make(shape, rope_theta=300.0)
    save_release(tmp_path / "model", ours)
    assert_same(ours, read_by_transformers(tmp_path / "model"))


def read_by_transformers(folder: Path) -> Any:
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        folder, output_loading_info=True
    )
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    return model.eval()
