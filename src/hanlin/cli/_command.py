"""What every verb shares: flags from a dataclass, help with an example, and two output streams.

Results go to standard output: as one JSON object with `--json`, as text otherwise. Progress and
words go to standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

from hanlin.lazy import lazy_module

if TYPE_CHECKING:
    import tyro
else:
    tyro = lazy_module("tyro")  # a verb whose flags are plain does without

__all__ = [
    "Common",
    "Device",
    "Loading",
    "parse",
    "parse_one_of",
    "say",
    "show",
]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Common:
    """Options that every verb takes."""

    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print one JSON object on standard output, and nothing else there."""


@dataclass(frozen=True, kw_only=True)
class Device(Common):
    """Options of verbs that compute."""

    device: str = "auto"
    """Where to compute: auto, cpu, cuda or mps."""


@dataclass(frozen=True, kw_only=True)
class Loading(Device):
    """Options of verbs that load a model."""

    expansion: str = ""
    """The expansion beside the core to load, by name, or `off` for the core alone; left out, the
    model's default."""

    @property
    def chosen_expansion(self) -> str | None:
        """The expansion as `hanlin.load` takes it."""
        return "" if self.expansion == "off" else self.expansion or None


def parse(
    kind: type[T], verb: str, arguments: Sequence[str], *, example: str, default: T | None = None
) -> T:
    """Read a verb's flags; leaves with code 2, naming the flag, when they do not fit.

    `default` holds the values of flags that are not given.
    """
    from hanlin.cli._describing import describe_fields, plain_types, summary

    describe_fields(kind)
    found: Any = tyro.cli(
        kind,
        prog=f"hanlin {verb}",
        description=summary(kind, example),
        args=list(arguments),
        default=default,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
        registry=plain_types(),
    )
    return cast("T", found)


def parse_one_of(
    kinds: Mapping[str, type[Any]], verb: str, arguments: Sequence[str], *, example: str
) -> Any:
    """Read the flags of a verb that has verbs of its own."""
    from hanlin.cli._describing import describe_fields, plain_types

    for kind in kinds.values():
        describe_fields(kind)
    return tyro.extras.subcommand_cli_from_dict(
        dict(kinds),
        prog=f"hanlin {verb}",
        description=f"Example: {example}",
        args=list(arguments),
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
        registry=plain_types(),
    )


def say(text: str) -> None:
    """Print words for people, on standard error."""
    print(text, file=sys.stderr, flush=True)


def show(options: Common, result: Mapping[str, Any], text: str) -> None:
    """Print a verb's result on standard output: JSON, or text."""
    print(json.dumps(result, ensure_ascii=False) if options.json else text, flush=True)
