"""Named sizes, what they count, and how they fill in a recipe."""

from __future__ import annotations

import pytest
import torch

from hanlin.config import ModelConfig
from hanlin.errors import ModelError
from hanlin.models import PRESETS, Decoder, count_parameters, flops_per_token, resolve_model
from hanlin.models.counting import cache_bytes, forward_flops_per_token
from hanlin.models.presets import OWN_VOCABULARIES

GPT3_SIZES = {
    "gpt3-small": 125e6,
    "gpt3-medium": 356e6,
    "gpt3-large": 760e6,
    "gpt3-xl": 1.32e9,
    "gpt3-2.7b": 2.65e9,
    "gpt3-6.7b": 6.66e9,
    "gpt3-13b": 12.85e9,
    "gpt3-175b": 174.6e9,
}


def resolved(preset: str, vocab_size: int = 50_257, **fields: object) -> ModelConfig:
    return resolve_model(ModelConfig(preset=preset, **fields), vocab_size)


@pytest.mark.parametrize("preset", GPT3_SIZES)
def test_gpt3_presets_have_the_parameters_of_the_paper(preset):
    assert count_parameters(resolved(preset)).total == pytest.approx(GPT3_SIZES[preset], rel=0.01)
    assert resolved(preset).context_length == 2048


def test_the_two_misprints_of_the_paper_are_put_right():
    xl, large = resolved("gpt3-xl"), resolved("gpt3-13b")
    assert (xl.num_heads, xl.head_dim, xl.hidden_size) == (16, 128, 2048)
    assert (large.num_heads, large.head_dim, large.hidden_size) == (40, 128, 5120)


@pytest.mark.parametrize("preset", OWN_VOCABULARIES)
def test_own_presets_are_as_large_as_their_names_say(preset):
    named = float(preset.removesuffix("m")) * 1e6
    total = count_parameters(resolved(preset, OWN_VOCABULARIES[preset])).total
    assert total == pytest.approx(named, rel=0.08)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("changes", [{}, {"attention": "banded"}, {"tie_embeddings": False}])
def test_counted_parameters_are_those_that_the_model_has(preset, changes):
    config = resolved(preset, 1000, **changes)
    with torch.device("meta"):
        model = Decoder(config)
    assert count_parameters(config).total == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen2", "qwen3"])
def test_own_presets_hold_for_every_family(family):
    config = resolved("14m", 8192, family=family)
    with torch.device("meta"):
        model = Decoder(config)
    assert count_parameters(config).total == sum(p.numel() for p in model.parameters())
    assert count_parameters(config).total == pytest.approx(14e6, rel=0.08)


def test_a_preset_never_overrules_what_the_recipe_says():
    config = resolved("4m", 4096, num_layers=9, context_length=64)
    assert (config.num_layers, config.context_length, config.hidden_size) == (9, 64, 256)


def test_resolving_twice_changes_nothing():
    once = resolved("gpt3-small", 8000, attention="banded")
    assert resolve_model(once, 8000) == once


def test_rows_are_padded_and_a_smaller_vocabulary_is_refused():
    assert resolve_model(ModelConfig(), 8001).vocab_size == 8064
    assert resolve_model(ModelConfig(vocab_size=8001), 8001).vocab_size == 8001
    with pytest.raises(
        ModelError, match="vocab_size 500 of the model is below the tokenizer's 600"
    ):
        resolve_model(ModelConfig(vocab_size=500), 600)


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(ModelError, match=r"'5m' does not exist.*4m.*gpt3-small"):
        resolved("5m")


def test_a_preset_that_does_not_fit_the_rest_is_refused():
    with pytest.raises(ModelError, match=r"'gpt3-small' does not fit.*grouped queries"):
        resolved("gpt3-small", num_kv_heads=2, num_heads=4)


def test_flops_follow_the_weights_and_the_context():
    config = resolved("gpt3-small", 50_304)
    weights = count_parameters(config).non_embedding + 50_304 * 768
    assert flops_per_token(config) == 6 * weights + 12 * 12 * 768 * 2048
    half = flops_per_token(config) - flops_per_token(config, causal=True)
    assert half == 6 * 12 * 768 * 2048
    assert forward_flops_per_token(config) == flops_per_token(config) // 3


def test_tying_saves_parameters_but_no_operations():
    tied, untied = resolved("4m", 4096), resolved("4m", 4096, tie_embeddings=False)
    assert count_parameters(untied).total - count_parameters(tied).total == 4096 * 256
    assert flops_per_token(tied) == flops_per_token(untied)


def test_a_band_costs_its_width():
    dense = resolved("4m", 4096)
    banded = resolved("4m", 4096, attention="banded", band_width=64)
    saved = flops_per_token(dense) - flops_per_token(banded)
    assert saved == 12 * 256 * 2 * (256 - 64)


def test_cache_bytes_are_those_that_the_cache_takes(make):
    model = make("qwen3")
    cache = model.new_cache(3, 11)
    assert cache_bytes(model.config, 3, 11) == cache.keys.nbytes + cache.values.nbytes
