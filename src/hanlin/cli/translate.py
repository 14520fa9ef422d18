"""`hanlin translate MODEL TEXT --to zh|en`: a translation."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from hanlin.cli._command import Loading, parse, show

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Arguments(Loading):
    """Translate a text between Chinese and English.

    Takes a model that was taught `translate` by a stage of kind `task`.
    """

    model: tyro.conf.Positional[Path]
    """A released folder or a run."""
    text: tyro.conf.Positional[str]
    """The text; `-` reads standard input."""
    to: Literal["zh", "en"]
    """The language to translate to."""
    max_tokens: int = 256
    """Tokens to write at most."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin translate runs/taught 小狗把糖果给了小明。 --to en"
    options = parse(Arguments, "translate", arguments, example=example)
    from hanlin import api

    text = sys.stdin.read() if options.text == "-" else options.text
    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    translation = model.translate(text, options.to, max_tokens=options.max_tokens)
    result = {"text": text, "to": options.to, "translation": translation}
    show(options, result, translation)
    return 0
