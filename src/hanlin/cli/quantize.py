"""`hanlin quantize MODEL OUT --bits 8|4`: weights of few bits, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hanlin.cli._beside import left_behind
from hanlin.cli._command import parse, say, show
from hanlin.cli._smaller import Shrinking, calibration, compare, render, sizes
from hanlin.errors import UserError

if TYPE_CHECKING:
    from hanlin.config import QuantisationConfig

__all__ = ["main"]

_NO_HEADS = "they were learnt on the core alone, which --expansion off packs with them"


@dataclass(frozen=True, kw_only=True)
class Arguments(Shrinking):
    """Pack a model's weights in 8 or 4 bits, and say what that saves and what it changes.

    The folder OUT is used like any other release. Classification heads come along in float32.
    """

    bits: Literal[8, 4] = 8
    """Bits of a weight in the blocks."""
    group: Literal[32, 64, 128] = 64
    """Weights that share a scale and a zero, at 4 bits."""
    method: Literal["rtn", "gptq", "hqq"] = "rtn"
    """rtn rounds to nearest, gptq weighs errors on calibration text, hqq moves zeros."""
    table_bits: Literal[8, 4] = 8
    """Bits of the embedding and the head."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin quantize runs/demo small --bits 4 --method gptq"
    options = parse(Arguments, "quantize", arguments, example=example)
    settings = _settings(options)
    from hanlin import api
    from hanlin.compression import check_output, quantise, save_quantised
    from hanlin.models import load_release

    check_output(options.out, "quantize")
    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    rows = calibration(options, model) if options.method == "gptq" else None
    say(f"Packing {options.model}: {options.bits} bits, method {options.method}")
    packed = quantise(model.decoder, settings, rows)
    heads = save_quantised(options.out, packed, model.folder, expansion=model.expansion)
    smaller = load_release(options.out, device=model.decoder.embedding.weight.device)
    result = {
        "out": str(options.out),
        "settings": settings.model_dump(mode="json"),
        **sizes(model, options.out, smaller),
        **compare(options, model, smaller),
        "heads": heads,
        "left_behind": left_behind(model, _NO_HEADS, kept=heads),
    }
    show(options, result, render(result))
    return 0


def _settings(options: Arguments) -> QuantisationConfig:
    from pydantic import ValidationError

    from hanlin.config import QuantisationConfig

    try:
        return QuantisationConfig(
            bits=options.bits,
            group=options.group,
            method=options.method,
            table_bits=options.table_bits,
        )
    except ValidationError as error:
        raise UserError("; ".join(detail["msg"] for detail in error.errors()) + ".") from error
