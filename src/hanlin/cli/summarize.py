"""`hanlin summarize MODEL FILE`: a summary led by keywords, the model's own or given ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from hanlin.cli._command import Loading, parse, say, show
from hanlin.cli._flags import ModelPath
from hanlin.cli._outside import read_input

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Arguments(Loading):
    """Summarise a text, led by keywords that stand in it.

    Takes a model that was taught `summarize` by a stage of kind `task`.
    """

    model: ModelPath
    """A released folder or a run."""
    file: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE")]
    """A text file; `-` reads standard input."""
    keywords: str = ""
    """Keywords parted by commas, in the order in which the summary shall take them up; left out,
    the model chooses."""
    max_tokens: int = 200
    """Tokens to write at most."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin summarize runs/taught story.txt --keywords 小猫,河边"
    options = parse(Arguments, "summarize", arguments, example=example)
    from hanlin import api
    from hanlin.text.documents import Reading
    from hanlin.text.streams import read_text

    text = read_input() if options.file == "-" else read_text(Path(options.file), Reading())
    words = [word.strip() for word in options.keywords.replace("，", ",").split(",")]
    given = [word for word in words if word] or None
    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    summary = model.summarize_by(text, given, max_tokens=options.max_tokens)
    if not options.json:
        say(f"keywords: {', '.join(summary.keywords)}")
        if summary.parts > 1:
            say(f"longer than the model's context: summarised in {summary.parts} parts")
        if summary.struck:
            say(f"not in the text, left out: {', '.join(summary.struck)}")
    result = {
        "summary": summary.text,
        "keywords": list(summary.keywords),
        "struck": list(summary.struck),
        "parts": summary.parts,
    }
    show(options, result, summary.text)
    return 0
