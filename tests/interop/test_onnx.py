"""The graph, run by onnxruntime, against the decoder."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hanlin.compression import quantise
from hanlin.config import QuantisationConfig
from hanlin.errors import ModelError
from hanlin.interop import write_onnx

runtime = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("shape", ["gpt2", "gpt2-banded", "llama", "qwen2", "qwen3"])
def test_onnxruntime_gives_the_same_logits_for_every_batch_and_length(make, tmp_path, shape):
    model = make(shape)
    write_onnx(tmp_path / "model.onnx", model)
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    chance = torch.Generator().manual_seed(1)
    for size in ((1, 1), (2, 7), (3, 24)):
        ids = torch.randint(0, 96, size, generator=chance)
        (logits,) = session.run(["logits"], {"input_ids": ids.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(logits, model(ids).numpy(), rtol=1e-4, atol=1e-4)


def test_a_quantised_model_goes_out_as_its_original(make, tmp_path):
    with pytest.raises(ModelError, match="Export its original"):
        write_onnx(tmp_path / "model.onnx", quantise(make(), QuantisationConfig()))
