"""Layers and units that matter least go first."""

from __future__ import annotations

import pytest
import torch

from hanlin.compression import block_influence, drop_layers, drop_units, quantise, unit_sizes
from hanlin.config import QuantisationConfig
from hanlin.errors import UserError

SHAPES = ["gpt2", "llama", "qwen2", "qwen3"]


@torch.no_grad()
def silence_block(model, layer: int) -> None:
    for name, parameter in model.blocks[layer].named_parameters():
        if name.startswith(("attention.output", "mlp.down")):
            parameter.zero_()


@torch.no_grad()
def silence_units(model, units: list[int]) -> None:
    for block in model.blocks:
        block.mlp.down.weight[:, units] = 0


@pytest.mark.parametrize("shape", SHAPES)
def test_a_layer_that_adds_nothing_goes_first_and_is_not_missed(make, rows, shape):
    model = make(shape)
    silence_block(model, 1)
    influence = block_influence(model, rows)
    assert influence[1] == pytest.approx(0, abs=1e-5)
    assert min(influence[0], influence[2]) > 0.01
    smaller, gone = drop_layers(model, 1, rows)
    assert gone == [1] and smaller.config.num_layers == 2
    with torch.no_grad():
        torch.testing.assert_close(smaller(rows), model(rows), rtol=1e-5, atol=1e-5)


def test_banded_blocks_go_in_pairs(make, rows):
    model = make("gpt2-banded")
    silence_block(model, 2)
    silence_block(model, 3)
    smaller, gone = drop_layers(model, 2, rows)
    assert gone == [2, 3]
    with torch.no_grad():
        torch.testing.assert_close(smaller(rows), model(rows), rtol=1e-5, atol=1e-5)
    with pytest.raises(UserError, match="in pairs"):
        drop_layers(model, 1, rows)


@pytest.mark.parametrize("shape", [*SHAPES, "gpt2-banded"])
def test_units_that_add_nothing_go_first_and_are_not_missed(make, rows, shape):
    model = make(shape)
    width = model.config.resolved_intermediate_size
    silent = [unit * 3 % width for unit in range(width // 4)]
    silence_units(model, silent)
    sizes = unit_sizes(model, rows)
    assert not sizes[:, silent].any() and sizes.shape == (model.config.num_layers, width)
    smaller, kept = drop_units(model, len(set(silent)) / width, rows)
    assert kept == smaller.config.resolved_intermediate_size < width
    with torch.no_grad():
        torch.testing.assert_close(smaller(rows), model(rows), rtol=1e-5, atol=1e-5)


def test_what_cannot_be_pruned_is_refused(make, rows):
    model = make()
    for count in (0, 3, -1):
        with pytest.raises(UserError, match="take 1 to 2"):
            drop_layers(model, count, rows)
    for share in (0.001, 0.999, 1.5):
        with pytest.raises(UserError, match="Take a share between"):
            drop_units(model, share, rows)
    with pytest.raises(UserError, match="Prune its original"):
        drop_layers(quantise(model, QuantisationConfig()), 1, rows)
