"""`hanlin export MODEL OUT --to gguf|onnx`: one file for another program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from hanlin.cli._beside import left_behind, render_left_behind
from hanlin.cli._command import Common, parse, show
from hanlin.cli._flags import ModelPath, OutPath
from hanlin.errors import UserError

__all__ = ["main"]

_NO_HEADS = "neither format has a place for them. `hanlin classify` uses the original"


@dataclass(frozen=True, kw_only=True)
class Arguments(Common):
    """Write a model as one file: GGUF for llama.cpp and its relatives, ONNX for onnxruntime."""

    model: ModelPath
    """A run, or a released folder."""
    out: OutPath
    """The file to write; one that exists is not written over."""
    to: Literal["gguf", "onnx"]
    """gguf holds shape, tokenizer and weights; onnx a graph from token ids to logits."""
    kind: Annotated[Literal["f32", "f16", "q8_0", "q4_0"], tyro.conf.arg(name="type")] = "f16"
    """Type of the matrices in GGUF; ONNX is float32."""
    expansion: str = ""
    """The expansion beside the core to merge, by name, or `off`; left out, the default."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin export runs/demo demo.gguf --to gguf --type q8_0"
    options = parse(Arguments, "export", arguments, example=example)
    if options.out.exists():
        raise UserError(f"{options.out} exists. Name another file, or remove it first.")
    from hanlin import api
    from hanlin.interop import write_gguf, write_onnx

    chosen = "" if options.expansion == "off" else options.expansion or None
    model = api.load(options.model, device="cpu", expansion=chosen)
    if options.to == "gguf":
        write_gguf(options.out, model.decoder, model.tokenizer, kind=options.kind)
    else:
        write_onnx(options.out, model.decoder)
    size = options.out.stat().st_size
    result = {"out": str(options.out), "format": options.to, "bytes": size}
    result["left_behind"] = left = left_behind(model, _NO_HEADS)
    words = [f"{options.out}: {size:,} bytes", *render_left_behind(left)]
    show(options, result, "\n".join(words))
    return 0
