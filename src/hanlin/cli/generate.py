"""`hanlin generate MODEL --prompt T`: a continuation, streamed as it is written."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from hanlin.cli._command import Loading, parse, say, show
from hanlin.config import SamplingConfig
from hanlin.errors import UserError

if TYPE_CHECKING:
    from hanlin.api import Model

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Arguments(Loading):
    """Write a text that continues a prompt, streamed as it comes.

    With --suffix it fills in what stands between the two; with --reverse it writes what comes
    before the prompt. Both take a model that was taught so by [stages.augment].
    """

    model: tyro.conf.Positional[Path]
    """A released folder or a run."""
    prompt: str = ""
    """What the text begins with; empty starts a new document, `-` reads standard input."""
    suffix: str | None = None
    """What the text ends with, where the middle is to be written."""
    reverse: bool = False
    """Write what comes before the prompt, in place of what follows it."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """How the continuation is drawn; what is not given is as the model proposes."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin generate runs/demo --prompt 从前 --temperature 0.7"
    options = parse(Arguments, "generate", arguments, example=example)
    from hanlin import api

    if options.reverse and options.suffix is not None:
        raise UserError("--reverse and --suffix exclude each other; give one of the two.")
    prompt = sys.stdin.read() if options.prompt == "-" else options.prompt
    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    proposed = Arguments(model=options.model, sampling=model.proposed)
    options = parse(Arguments, "generate", arguments, example=example, default=proposed)
    if options.reverse:
        text = model.reverse(prompt, **options.sampling.model_dump())
        show(options, {"prompt": prompt, "text": text}, text)
    elif options.suffix is not None:
        middle = model.complete_between(prompt, options.suffix, options.sampling)
        whole = f"{prompt}{middle.text}{options.suffix}"
        show(options, {"prompt": prompt, "suffix": options.suffix, **asdict(middle)}, whole)
    elif options.json:
        completion = model.complete(prompt, options.sampling)
        show(options, {"prompt": prompt, **asdict(completion)}, "")
    else:
        _stream(model, prompt, options)
    return 0


def _stream(model: Model, prompt: str, options: Arguments) -> None:
    start = time.monotonic()
    print(prompt, end="", flush=True)
    written = ""
    for piece in model.stream(prompt, **options.sampling.model_dump()):
        written += piece
        print(piece, end="", flush=True)
    print(flush=True)
    seconds = time.monotonic() - start
    tokens = len(model.tokenizer.encode(written))
    say(f"{tokens} tokens in {seconds:.2f} s ({tokens / seconds:.0f} tokens/s)")
