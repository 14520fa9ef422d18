"""`hanlin classify MODEL TEXT...`: labels with calibrated probabilities, by a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from hanlin.cli._command import Loading, parse, show
from hanlin.cli._flags import ModelPath

if TYPE_CHECKING:
    from hanlin.tasks import Classified

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Arguments(Loading):
    """Say the labels of texts, with probabilities.

    Takes a model that was taught a head by a stage of kind `task`.
    """

    model: ModelPath
    """A released folder or a run."""
    texts: Annotated[
        tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[TEXT ...]")
    ] = ()
    """The texts."""
    head: str = ""
    """The head, by name; the only one need not be named."""
    file: Path | None = None
    """Further texts: a file of records with `text` and maybe `text2` and a label (.json, .jsonl,
    packed or not), or one with a text a line."""
    label: str = "label"
    """The field of a record that holds its label, which is compared where there is one."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin classify runs/taught 味道不错，送得也快。 --head sentiment"
    options = parse(Arguments, "classify", arguments, example=example)
    from hanlin import api
    from hanlin.errors import UserError

    given: list[tuple[str, str, str]] = [(text, "", "") for text in options.texts]
    given += _read(options.file, options.label) if options.file else []
    if not given:
        raise UserError("There is no text to classify. Give one, or a file of them with --file.")
    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    released = model.released_head(options.head)
    found = model.classify_batch([(text, text2) for text, text2, _ in given], head=released.name)
    result = {
        "head": released.name,
        "texts": [
            {
                "text": text,
                **({"text2": text2} if text2 else {}),
                "label": one.label,
                "probabilities": one.probabilities,
                **({"cut": one.cut} if one.cut else {}),
            }
            for (text, text2, _), one in zip(given, found, strict=True)
        ],
    }
    wanted = [label for _, _, label in given]
    compared = _compare(wanted, found, released.head.labels) if any(wanted) else {}
    show(options, {**result, **compared}, _words(given, found, compared))
    return 0


def _read(path: Path, field: str) -> list[tuple[str, str, str]]:
    """Return the texts of a file, each with its second text and its label or empty strings."""
    from hanlin.tasks import read_records
    from hanlin.text.documents import Reading
    from hanlin.text.streams import read_text

    if not {".json", ".jsonl"} & set(path.suffixes):
        lines = read_text(path, Reading()).splitlines()
        return [(line, "", "") for line in lines if line.strip()]
    found = []
    for record in read_records(path):
        text2 = record.text("text2") if "text2" in record else ""
        label = str(record.values[field]) if field in record else ""
        found.append((record.text("text"), text2, label))
    return found


def _compare(
    wanted: Sequence[str], found: Sequence[Classified], labels: Sequence[str]
) -> dict[str, Any]:
    """Return how many of the labels that the head knows it says, and how sure it was."""
    import torch

    from hanlin.evaluation import calibration_error

    given = [(label, one) for label, one in zip(wanted, found, strict=True) if label]
    known = [(label, one) for label, one in given if label in labels]
    compared: dict[str, Any] = {
        "compared": len(known),
        "unseen_labels": len(given) - len(known),
        "accuracy": None,
        "expected_calibration_error": None,
    }
    if known:
        chances = torch.tensor([list(one.probabilities.values()) for _, one in known])
        numbers = torch.tensor([list(labels).index(label) for label, _ in known])
        compared["accuracy"] = sum(label == one.label for label, one in known) / len(known)
        compared["expected_calibration_error"] = calibration_error(chances, numbers)
    return compared


def _words(
    given: Sequence[tuple[str, str, str]], found: Sequence[Classified], compared: dict[str, Any]
) -> str:
    lines = []
    for (text, text2, _), one in zip(given, found, strict=True):
        cut = f"  ({one.cut} tokens did not fit and were not read)" if one.cut else ""
        shown = f"{text}  |  {text2}" if text2 else text
        lines.append(f"{one.label}  {one.probability:.3f}  {shown}{cut}")
    if compared:
        accuracy = compared["accuracy"]
        share = "none" if accuracy is None else f"{accuracy:.4f}"
        lines.append(
            f"accuracy {share} of {compared['compared']:,}; {compared['unseen_labels']:,} have a "
            "label that the head never learnt"
        )
    return "\n".join(lines)
