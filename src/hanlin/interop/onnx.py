"""Write a model as ONNX: token ids in, logits of the next token out, for onnxruntime and others.

The graph reads any batch of rows of any length up to the model's context, and has no cache: it is
for scoring and for short texts. It is traced by torch's exporter (torch.onnx, dynamo). Causality
goes in as an explicit mask, since the kernel's own rule depends on the length, which is not fixed.

Shapes: B batch, T time, V vocab.

    python -m hanlin.interop.onnx FOLDER OUT
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from hanlin.errors import ModelError, require
from hanlin.models import Decoder, QuantisedDecoder
from hanlin.records import atomic_file

__all__ = ["write_onnx"]

_LARGEST = 2**31
"""The size of a file that ONNX can hold in one piece."""


def write_onnx(path: Path, model: Decoder) -> None:
    """Write one file with the input `input_ids` (B, T) and the output `logits` (B, T, V).

    Raises:
        ModelError: the model is quantised, or too large for one file.
        MissingExtraError: the packages `onnx` and `onnxscript` are not installed.
    """
    _check(model)
    for package in ("onnx", "onnxscript"):
        require(package, extra="export", purpose="Writing ONNX")
    batch, time = torch.export.Dim("batch"), torch.export.Dim("time", max=_context(model))
    example = torch.zeros(2, min(8, _context(model)), dtype=torch.long)
    with _quietly(), torch.no_grad():
        model(example)  # makes the tables of rotary positions, which tracing takes as constants
        program = torch.onnx.export(
            _Logits(model).eval(),
            (example,),
            dynamo=True,
            input_names=["input_ids"],
            output_names=["logits"],
            dynamic_shapes=({0: batch, 1: time},),
            verbose=False,
        )
    assert program is not None, "the dynamo exporter returns a program"
    with atomic_file(path) as temporary:
        program.save(str(temporary))


class _Logits(nn.Module):
    """The decoder with all tokens of a row in one segment, which asks for an explicit mask."""

    def __init__(self, model: Decoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        hidden = self.model.hidden(ids, segment_ids=torch.zeros_like(ids))
        return self.model.head(hidden)  # (B, T, V)


def _context(model: Decoder) -> int:
    return model.config.context_length


def _check(model: Decoder) -> None:
    if isinstance(model, QuantisedDecoder):
        raise ModelError("The model is quantised in a way of Hanlin's own. Export its original.")
    size = sum(parameter.nbytes for parameter in model.parameters())
    if size >= _LARGEST:
        raise ModelError(
            f"The model's {size:,} bytes do not fit one ONNX file of at most {_LARGEST:,}. "
            "Export it as GGUF."
        )


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep the exporter's remarks on packages that are not needed off the terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


if __name__ == "__main__":
    import sys

    from hanlin.models import load_release

    target = Path(sys.argv[2])
    write_onnx(target, load_release(Path(sys.argv[1])))
    print(f"{target.stat().st_size:,} bytes")
