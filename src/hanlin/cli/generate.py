"""`hanlin generate MODEL --prompt T`: a continuation, streamed as it is written."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import tyro

from hanlin.cli._command import Loading, parse, say, show
from hanlin.config import SamplingConfig

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Arguments(Loading):
    """Write a text that continues a prompt, streamed as it comes."""

    model: tyro.conf.Positional[Path]
    """A released folder or a run."""
    prompt: str = ""
    """What the text begins with; empty starts a new document, `-` reads standard input."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """How the continuation is drawn."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin generate runs/demo --prompt 从前 --temperature 0.7"
    options = parse(Arguments, "generate", arguments, example=example)
    from hanlin import api

    prompt = sys.stdin.read() if options.prompt == "-" else options.prompt
    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    if options.json:
        completion = model.complete(prompt, options.sampling)
        show(options, {"prompt": prompt, **asdict(completion)}, "")
        return 0
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
    return 0
