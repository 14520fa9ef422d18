"""`hanlin prune MODEL OUT --layers N | --mlp SHARE`: fewer layers, or narrower MLPs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hanlin.cli._beside import left_behind
from hanlin.cli._command import parse, say, show
from hanlin.cli._smaller import Shrinking, calibration, compare, render, sizes
from hanlin.errors import DataError, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from hanlin.models import Decoder

__all__ = ["main"]

_NO_HEADS = "they were learnt on other weights. A task stage from here teaches them anew"


@dataclass(frozen=True, kw_only=True)
class Arguments(Shrinking):
    """Leave out the layers, or the units of the MLPs, that matter least on calibration text.

    OUT is an ordinary release. Let a distil stage start from it, with MODEL as the teacher.
    Classification heads are left behind: they mean nothing on other weights.
    """

    layers: int = 0
    """Layers to leave out."""
    mlp: float = 0.0
    """Share of each MLP's units to leave out."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin prune runs/demo thinner --layers 1"
    options = parse(Arguments, "prune", arguments, example=example)
    if bool(options.layers) == bool(options.mlp):
        raise UserError("Say what is left out: --layers N, or --mlp SHARE; one of the two.")
    from hanlin import api
    from hanlin.compression import check_output, save_pruned

    check_output(options.out, "prune")
    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    rows = calibration(options, model)
    if rows is None:
        raise DataError(
            f"{options.model} has no text beside it to find out what matters least. "
            "Give --calibration FILES."
        )
    smaller, settings = _prune(options, model.decoder, rows)
    say(f"Left out: {settings}")
    save_pruned(options.out, smaller, model.folder, model.tokenizer, settings)
    smaller = smaller.to(model.decoder.embedding.weight.device)
    result = {
        "out": str(options.out),
        "settings": settings,
        **sizes(model, options.out, smaller),
        **compare(options, model, smaller),
        "left_behind": left_behind(model, _NO_HEADS),
    }
    show(options, result, render(result))
    return 0


def _prune(options: Arguments, model: Decoder, rows: Tensor) -> tuple[Decoder, dict[str, Any]]:
    from hanlin.compression import drop_layers, drop_units

    if options.layers:
        smaller, gone = drop_layers(model, options.layers, rows)
        return smaller, {"layers": gone}
    smaller, kept = drop_units(model, options.mlp, rows)
    return smaller, {"units of each MLP kept": kept}
