"""`hanlin translate MODEL TEXT --to zh|en`: a translation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from hanlin.cli._command import Loading, parse, show
from hanlin.cli._flags import ModelPath
from hanlin.cli._outside import read_input

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Arguments(Loading):
    """Translate a text between Chinese and English.

    Takes a model that was taught `translate` by a stage of kind `task`.
    """

    model: ModelPath
    """A released folder or a run."""
    text: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TEXT")]
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

    text = read_input() if options.text == "-" else options.text
    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    translation = model.translate(text, options.to, max_tokens=options.max_tokens)
    result = {"text": text, "to": options.to, "translation": translation}
    show(options, result, translation)
    return 0
