"""`hanlin generate MODEL --prompt T`: a continuation, streamed as it is written."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from hanlin.cli._command import Loading, parse, say, show
from hanlin.config import SamplingConfig, SearchConfig
from hanlin.errors import UserError

if TYPE_CHECKING:
    from hanlin.api import Model
    from hanlin.generation import Speculation

__all__ = ["main"]

_SHARED = ("max_tokens", "stop", "no_repeat_ngram")


@dataclass(frozen=True, kw_only=True)
class Searching:
    """The settings of `SearchConfig` that drawing does not share."""

    beams: int = SearchConfig().beams
    """Texts that are followed at once, and returned."""
    groups: int = SearchConfig().groups
    """Groups of beams that keep away from each other's tokens."""
    diversity: float = SearchConfig().diversity
    """What a token loses for each earlier group that writes it in the same step."""
    length_penalty: float = SearchConfig().length_penalty
    """The sum of log-probabilities is divided by the length to this power."""
    candidates: int = SearchConfig().candidates
    """Contrastive: the likeliest tokens that are weighed."""
    alpha: float = SearchConfig().alpha
    """Contrastive: how much likeness to what was written counts."""


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
    draft: Annotated[Path | None, tyro.conf.arg(metavar="MODEL")] = None
    """A smaller model with the same tokenizer that proposes tokens, for speed alone."""
    lookup: bool = False
    """Let the text itself propose tokens: what followed when it last ended so."""
    proposals: int = 4
    """Tokens that are proposed before each pass."""
    samples: int = 1
    """Continuations to write, with seeds in a row."""
    search: Literal["none", "beam", "contrastive"] = "none"
    """Search for likely continuations in place of drawing one."""
    searching: Searching = field(default_factory=Searching)
    """How it is searched; length, stop strings and n-grams are those of the sampling."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """How the continuation is drawn; what is not given is as the model proposes."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin generate runs/demo --prompt 从前 --temperature 0.7"
    options = parse(Arguments, "generate", arguments, example=example)
    from hanlin import api

    _refuse_two_ways(options)
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
    elif options.search != "none" or options.samples > 1:
        _several(model, prompt, options)
    else:
        _one(model, prompt, options)
    return 0


def _refuse_two_ways(options: Arguments) -> None:
    """Refuse flags that each ask for another way of writing."""
    ways = {
        "--reverse": options.reverse,
        "--suffix": options.suffix is not None,
        "--draft": options.draft is not None,
        "--lookup": options.lookup,
        "--samples": options.samples > 1,
        "--search": options.search != "none",
    }
    given = [flag for flag, is_given in ways.items() if is_given]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} exclude each other; give one.")


def _several(model: Model, prompt: str, options: Arguments) -> None:
    """Write what a search finds, or several samples."""
    if options.search == "none":
        found = model.samples(prompt, count=options.samples, **options.sampling.model_dump())
    else:
        shared = {name: getattr(options.sampling, name) for name in _SHARED}
        found = model.search(prompt, method=options.search, **asdict(options.searching), **shared)
    lines = "\n".join(f"[{number}] {prompt}{text.text}" for number, text in enumerate(found, 1))
    show(options, {"prompt": prompt, "texts": [asdict(text) for text in found]}, lines)


def _one(model: Model, prompt: str, options: Arguments) -> None:
    from hanlin import api

    speculation = None
    if options.draft or options.lookup:
        draft = api.load(options.draft, device=options.device) if options.draft else None
        speculation = model.speculate(draft, tokens=options.proposals)
    if options.json:
        completion = model.complete(prompt, options.sampling, speculation)
        counted = {"speculation": speculation.as_dict()} if speculation else {}
        show(options, {"prompt": prompt, **asdict(completion), **counted}, "")
    elif options.sampling.best_of > 1:
        print(prompt + model.complete(prompt, options.sampling, speculation).text, flush=True)
    else:
        _stream(model, prompt, options, speculation)


def _stream(model: Model, prompt: str, options: Arguments, speculation: Speculation | None) -> None:
    start = time.monotonic()
    print(prompt, end="", flush=True)
    written = ""
    sampling = options.sampling.model_dump()
    for piece in model.stream(prompt, speculation=speculation, **sampling):
        written += piece
        print(piece, end="", flush=True)
    print(flush=True)
    seconds = time.monotonic() - start
    tokens = len(model.tokenizer.encode(written))
    say(f"{tokens} tokens in {seconds:.2f} s ({tokens / seconds:.0f} tokens/s)")
    if speculation is not None:
        say(
            f"{speculation.acceptance:.0%} of {speculation.proposed} proposals accepted, "
            f"{speculation.tokens_per_pass:.2f} tokens a pass"
        )
