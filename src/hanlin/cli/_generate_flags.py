"""The flags of `hanlin generate`, read quickly where they are plain and with explanations else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from hanlin.cli._command import Loading, parse
from hanlin.cli._plain import read_plain
from hanlin.cli._sampling import SamplingFlags, explain_bounds
from hanlin.config import SearchConfig
from hanlin.errors import UserError
from hanlin.lazy import lazy_module

if TYPE_CHECKING:
    import tyro
else:
    tyro = lazy_module("tyro")

__all__ = ["Arguments", "explained_options", "plain_options", "ways_of"]

_EXAMPLE = "hanlin generate runs/demo --prompt 从前 --temperature 0.7"
_Engines = Literal["auto", "native", "torch"]


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

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
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
    engine: _Engines = "auto"
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
    sampling: SamplingFlags = field(default_factory=SamplingFlags)
    """How the continuation is drawn; what is not given is as the model proposes."""


def explained_options(arguments: Sequence[str]) -> tuple[Arguments, Path]:
    """Return what the flags say, with the folder meant; leaves with 2 where they do not fit."""
    from hanlin.models import find_release, read_proposal

    options = parse(Arguments, "generate", arguments, example=_EXAMPLE)
    _refuse_two_ways(options)
    _check_bounds(options)
    folder = find_release(options.model)
    settings = SamplingFlags(**read_proposal(folder).model_dump())
    proposed = Arguments(model=options.model, sampling=settings)
    return parse(Arguments, "generate", arguments, example=_EXAMPLE, default=proposed), folder


def plain_options(arguments: Sequence[str]) -> tuple[Arguments, Path] | None:
    """Return what `explained_options` does, sooner; None where a flag is not plain or wrong."""
    from hanlin.models import find_release, read_proposal

    kinds: dict[str, Callable[[str], Any]] = {"samples": int, "engine": _engine}
    kinds |= dict.fromkeys(("prompt", "device", "expansion"), str)
    plain: dict[Any, Callable[[str], Any]] = {int: int, float: float, str: str, int | None: int}
    fields = SamplingFlags.model_fields.items()
    drawn = {name: plain[f.annotation] for name, f in fields if f.annotation in plain}
    read = read_plain(arguments, kinds | drawn, switches=("json",), repeated=("prompt",))
    if read is None or len(read[0]) != 1 or read[1].get("samples", 1) < 1:
        return None
    model, values = Path(read[0][0]), read[1]
    folder = find_release(model)
    given = {name: values.pop(name) for name in drawn if name in values}
    try:
        sampling = SamplingFlags(**{**read_proposal(folder).model_dump(), **given})
    except UserError:
        return None
    return Arguments(model=model, sampling=sampling, **values), folder


def _engine(word: str) -> str:
    if word not in get_args(_Engines):
        raise ValueError(word)
    return word


def _refuse_two_ways(options: Arguments) -> None:
    """Refuse flags that each ask for another way of writing."""
    many = {"--samples": options.samples > 1, "several --prompt": len(options.prompt) > 1}
    given = [flag for flag, is_given in many.items() if is_given]
    ways = ways_of(options)
    if len(ways) > 1 or (ways and given):
        raise UserError(f"{' and '.join([*given, *ways])} exclude each other; give one.")


def _check_bounds(options: Arguments) -> None:
    """Refuse numbers that no way of writing can take, before a model is loaded."""
    from pydantic import ValidationError

    for flag, value in (("--samples", options.samples), ("--proposals", options.proposals)):
        if value < 1:
            raise UserError(f"{flag} {value}: it should be greater than or equal to 1.")
    try:
        SearchConfig(**asdict(options.searching))
    except ValidationError as error:
        raise UserError(explain_bounds(error, "--")) from error


def ways_of(options: Arguments) -> list[str]:
    """Return the flags that ask for another way of writing than from left to right, drawn."""
    ways = {
        "--reverse": options.reverse,
        "--suffix": options.suffix is not None,
        "--draft": options.draft is not None,
        "--lookup": options.lookup,
        "--search": options.search != "none",
    }
    return [flag for flag, is_given in ways.items() if is_given]
