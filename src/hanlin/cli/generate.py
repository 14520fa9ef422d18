"""`hanlin generate MODEL --prompt T`: a continuation, streamed as it is written."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from hanlin.cli._command import Loading, parse, say, show
from hanlin.config import SamplingConfig
from hanlin.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hanlin.generation.native import NativeEngine
    from hanlin.tokenizers import Tokenizer

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
    engine: Literal["auto", "native", "torch"] = "auto"
    """What computes: the native engine, which starts at once and reads the weights at the speed of
    memory; torch; or the native one wherever it can do what is asked."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """How the continuation is drawn; what is not given is as the model proposes."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin generate runs/demo --prompt 从前 --temperature 0.7"
    options = parse(Arguments, "generate", arguments, example=example)
    from hanlin.models import find_release, read_proposal

    if options.reverse and options.suffix is not None:
        raise UserError("--reverse and --suffix exclude each other; give one of the two.")
    folder = find_release(options.model)
    proposed = Arguments(model=options.model, sampling=read_proposal(folder))
    options = parse(Arguments, "generate", arguments, example=example, default=proposed)
    prompt = sys.stdin.read() if options.prompt == "-" else options.prompt
    engine = _native_engine(options, folder)
    if engine is None:
        _with_torch(options, prompt)
    else:
        kind, end = engine.tokenizer.kind, engine.tokenizer.eot_id
        ids = engine.tokenizer.encode(prompt)
        ids = ids if kind == "hf" else [end, *ids]  # as the model has learnt documents
        if options.json:
            completion = engine.generate(ids, options.sampling)
            show(options, {"prompt": prompt, **asdict(completion)}, "")
        else:
            _print(prompt, engine.stream(ids, options.sampling), engine.tokenizer)
    return 0


def _native_engine(options: Arguments, folder: Path) -> NativeEngine | None:
    """Return the native engine where it is wanted and can do what is asked."""
    if options.engine == "torch":
        return None
    from hanlin.generation.native import NativeEngine, load_native, why_not_native
    from hanlin.tokenizers import load_tokenizer

    why = why_not_native(
        folder, options.sampling, device=options.device, expansion=options.chosen_expansion
    )
    if options.reverse or options.suffix is not None:
        why = "--reverse and --suffix are torch's"
    if not why:
        return NativeEngine(load_native(folder), load_tokenizer(folder))
    if options.engine == "native":
        raise UserError(f"--engine native is not possible: {why}.")
    return None


def _with_torch(options: Arguments, prompt: str) -> None:
    from hanlin import api

    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
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
        pieces = model.stream(prompt, **options.sampling.model_dump())
        _print(prompt, pieces, model.tokenizer)


def _print(prompt: str, pieces: Iterator[str], tokenizer: Tokenizer) -> None:
    start = time.monotonic()
    print(prompt, end="", flush=True)
    written = ""
    for piece in pieces:
        written += piece
        print(piece, end="", flush=True)
    print(flush=True)
    seconds = time.monotonic() - start
    tokens = len(tokenizer.encode(written))
    say(f"{tokens} tokens in {seconds:.2f} s ({tokens / seconds:.0f} tokens/s)")
