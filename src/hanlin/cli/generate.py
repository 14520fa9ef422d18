"""`hanlin generate MODEL --prompt T`: a continuation, streamed as it is written."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from hanlin.cli._command import Loading, parse, say, show
from hanlin.config import SamplingConfig, SearchConfig
from hanlin.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hanlin.api import Model
    from hanlin.generation import Completion
    from hanlin.generation.native import NativeEngine
    from hanlin.tokenizers import Tokenizer

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
    prompt: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="TEXT"), tyro.conf.UseAppendAction
    ] = ()
    """What the text begins with; empty starts a new document, `-` reads standard input. Given
    several times, the texts are written together, with seeds in a row."""
    suffix: str | None = None
    """What the text ends with, where the middle is to be written."""
    reverse: bool = False
    """Write what comes before the prompt, in place of what follows it."""
    engine: Literal["auto", "native", "torch"] = "auto"
    """What computes: the native engine, which starts at once and reads the weights at the speed of
    memory; torch; or the native one wherever it can do what is asked."""
    draft: Annotated[Path | None, tyro.conf.arg(metavar="MODEL")] = None
    """A smaller model with the same tokenizer that proposes tokens, for speed alone."""
    lookup: bool = False
    """Let the text itself propose tokens: what followed when it last ended so."""
    proposals: int = 4
    """Tokens that are proposed before each pass."""
    samples: int = 1
    """Continuations to write of each prompt, all together, with seeds in a row."""
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
    from hanlin.models import find_release, read_proposal

    _refuse_two_ways(options)
    folder = find_release(options.model)
    proposed = Arguments(model=options.model, sampling=read_proposal(folder))
    options = parse(Arguments, "generate", arguments, example=example, default=proposed)
    prompts = _prompts(options)
    engine = _native_engine(options, folder)
    if engine is None:
        _with_torch(options, prompts)
    else:
        _with_native(engine, options, prompts)
    return 0


def _prompts(options: Arguments) -> list[str]:
    """Return the prompt of each text that is to be written."""
    given = [sys.stdin.read() if text == "-" else text for text in options.prompt or ("",)]
    return [text for text in given for _ in range(max(1, options.samples))]


def _native_engine(options: Arguments, folder: Path) -> NativeEngine | None:
    """Return the native engine where it is wanted and can do what is asked."""
    if options.engine == "torch":
        return None
    from hanlin.generation.native import NativeEngine, load_native, why_not_native
    from hanlin.tokenizers import load_tokenizer

    why = why_not_native(
        folder, options.sampling, device=options.device, expansion=options.chosen_expansion
    )
    if torch_only := _ways(options):
        why = f"{' and '.join(torch_only)} is torch's"
    if not why:
        return NativeEngine(load_native(folder), load_tokenizer(folder))
    if options.engine == "native":
        raise UserError(f"--engine native is not possible: {why}.")
    return None


def _with_native(engine: NativeEngine, options: Arguments, prompts: list[str]) -> None:
    kind, end = engine.tokenizer.kind, engine.tokenizer.eot_id
    read = {prompt: engine.tokenizer.encode(prompt) for prompt in prompts}
    if kind != "hf":  # as the model has learnt documents
        read = {prompt: [end, *ids] for prompt, ids in read.items()}
    if options.json or len(prompts) > 1:
        found = engine.generate_batch([read[prompt] for prompt in prompts], options.sampling)
        _show_texts(options, prompts, found)
    else:
        _print(prompts[0], engine.stream(read[prompts[0]], options.sampling), engine.tokenizer)


def _with_torch(options: Arguments, prompts: list[str]) -> None:
    from hanlin import api

    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    if len(prompts) > 1:
        _show_texts(options, prompts, model.complete_batch(prompts, options.sampling))
        return
    prompt = prompts[0]
    if options.reverse:
        text = model.reverse(prompt, **options.sampling.model_dump())
        show(options, {"prompt": prompt, "text": text}, text)
    elif options.suffix is not None:
        middle = model.complete_between(prompt, options.suffix, options.sampling)
        whole = f"{prompt}{middle.text}{options.suffix}"
        show(options, {"prompt": prompt, "suffix": options.suffix, **asdict(middle)}, whole)
    elif options.search != "none":
        shared = {name: getattr(options.sampling, name) for name in _SHARED}
        found = model.search(prompt, method=options.search, **asdict(options.searching), **shared)
        _show_texts(options, [prompt] * len(found), found, several=True)
    else:
        _one(model, prompt, options)


def _show_texts(
    options: Arguments, prompts: list[str], found: Sequence[Completion], *, several: bool = False
) -> None:
    """Show one text, or a list of them; of one prompt, it stands before the list."""
    pairs = list(zip(prompts, found, strict=True))
    if len(pairs) == 1 and not several:
        show(options, {"prompt": prompts[0], **asdict(found[0])}, "")
        return
    lines = "\n".join(f"[{number}] {p}{text.text}" for number, (p, text) in enumerate(pairs, 1))
    if len(set(options.prompt)) > 1:
        result: dict[str, Any] = {"texts": [{"prompt": p, **asdict(text)} for p, text in pairs]}
    else:
        result = {"prompt": prompts[0], "texts": [asdict(text) for text in found]}
    show(options, result, lines)


def _refuse_two_ways(options: Arguments) -> None:
    """Refuse flags that each ask for another way of writing."""
    many = {"--samples": options.samples > 1, "several --prompt": len(options.prompt) > 1}
    given = [flag for flag, is_given in many.items() if is_given]
    ways = _ways(options)
    if len(ways) > 1 or (ways and given):
        raise UserError(f"{' and '.join([*given, *ways])} exclude each other; give one.")


def _ways(options: Arguments) -> list[str]:
    """Return the flags that ask for another way of writing than from left to right, drawn."""
    ways = {
        "--reverse": options.reverse,
        "--suffix": options.suffix is not None,
        "--draft": options.draft is not None,
        "--lookup": options.lookup,
        "--search": options.search != "none",
    }
    return [flag for flag, is_given in ways.items() if is_given]


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
        pieces = model.stream(prompt, speculation=speculation, **options.sampling.model_dump())
        _print(prompt, pieces, model.tokenizer)
        if speculation is not None:
            say(
                f"{speculation.acceptance:.0%} of {speculation.proposed} proposals accepted, "
                f"{speculation.tokens_per_pass:.2f} tokens a pass"
            )


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
