"""The native engine against the plain decoder, in every shape and format."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from hanlin.compression.quantising import quantise
from hanlin.compression.rounding import round_to_nearest
from hanlin.config import ModelConfig, QuantisationConfig, SamplingConfig
from hanlin.errors import HanlinError, ModelError, UserError
from hanlin.generation import Engine
from hanlin.generation.native import NativeEngine, is_available, load_core, load_native
from hanlin.generation.native.rounding import round_int4, round_int8
from hanlin.generation.native.sampling import History, draw, needs_history, uniforms
from hanlin.generation.native.shapes import parameter_shapes
from hanlin.generation.sampling import TokenHistory, penalise
from hanlin.generation.sampling import draw as draw_torch
from hanlin.models import Decoder, build_model, resolve_model, save_release, write_packed

native = pytest.mark.skipif(not is_available(), reason="the native core is not built here")

SHAPES = {
    "gpt2": {"family": "gpt2"},
    "gpt2-untied": {"family": "gpt2", "tie_embeddings": False, "hidden_size": 40},
    "gpt2-banded": {"family": "gpt2", "attention": "banded", "band_width": 5},
    "llama": {"family": "llama", "num_kv_heads": 2, "tie_embeddings": False},
    "qwen2": {"family": "qwen2", "num_kv_heads": 1},
    "qwen3": {"family": "qwen3", "num_kv_heads": 2, "head_dim": 12},
    "qwen3-banded": {"family": "qwen3", "attention": "banded", "band_width": 5},
}


def make(shape: str, **changes: object) -> Decoder:
    fields = {
        "context_length": 80,
        "hidden_size": 32,
        "num_layers": 3,
        "num_heads": 4,
        "vocab_size": 100,
        **SHAPES[shape],
        **changes,
    }
    model = build_model(resolve_model(ModelConfig(**fields), 100), seed=1)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 1:
                parameter.add_(0.3 * noise)
            else:
                parameter.copy_(noise * 2 / parameter.shape[-1] ** 0.5)
    return model.eval()


def ids_of(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 100, count)


def logits_of(model: Decoder, ids: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.from_numpy(ids)[None])[0].float().numpy()


def gap(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


@native
@pytest.mark.parametrize("instructions", ["auto", "portable"])
@pytest.mark.parametrize("shape", SHAPES)
def test_fp32_is_the_decoder(tmp_path: Path, shape: str, instructions: str) -> None:
    model, ids = make(shape), ids_of(70)
    save_release(tmp_path / "m", model)
    found = load_native(tmp_path / "m", instructions=instructions, threads=2)
    wanted = logits_of(model, ids)
    whole = found.session(70).read(ids, all=True)
    assert np.abs(whole - wanted).max() < 1e-4 * np.abs(wanted).max()
    session = found.session(80)
    session.read(ids[:5])
    for place in range(5, 70):
        one = session.read(ids[place : place + 1])
    assert np.abs(one - wanted[-1]).max() < 1e-4 * np.abs(wanted).max()
