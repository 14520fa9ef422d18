"""Whole decoders, packed by each method."""

from __future__ import annotations

import pytest
import torch

from hanlin.compression import quantise
from hanlin.compression.walking import walk
from hanlin.config import QuantisationConfig
from hanlin.errors import UserError

SHAPES = ["gpt2", "gpt2-banded", "llama", "qwen2", "qwen3"]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_walk_through_the_blocks_is_the_models_own_pass(make, rows, shape):
    model = make(shape)
    with torch.no_grad():
        for stop in walk(model, rows):
            last = stop
        streams = torch.cat(last.run())
        assert torch.equal(model.norm(streams), model.hidden(rows))
    assert last.layer == model.config.num_layers - 1


@pytest.mark.parametrize("shape", SHAPES)
def test_gptq_keeps_the_logits_closer_than_rounding_and_the_model_as_it_was(make, rows, shape):
    model = make(shape)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    gaps = {}
    with torch.no_grad():
        for method in ("rtn", "gptq"):
            settings = QuantisationConfig(bits=4, group=32, method=method)
            packed = quantise(model, settings, rows)
            gaps[method] = float((packed.hidden(rows) - model.hidden(rows)).square().mean())
    assert gaps["gptq"] < gaps["rtn"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_eight_bits_are_closer_than_four(make, rows):
    model = make()
    eight = quantise(model, QuantisationConfig(bits=8))
    four = quantise(model, QuantisationConfig(bits=4))
    with torch.no_grad():
        gaps = [(packed(rows) - model(rows)).square().mean() for packed in (eight, four)]
    assert gaps[0] < gaps[1] / 10


def test_gptq_without_text_says_what_to_do(make):
    with pytest.raises(UserError, match=r"--calibration FILES.*hqq"):
        quantise(make(), QuantisationConfig(bits=4, method="gptq"))


def test_eight_bits_have_no_zeros_for_hqq_to_move():
    with pytest.raises(ValueError, match="take bits 4"):
        QuantisationConfig(bits=8, method="hqq")
