"""What every verb shares: flags from a dataclass, help with an example, and two output streams.

Results go to standard output: as one JSON object with `--json`, as text otherwise. Progress and
words go to standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import tyro

from hanlin.cli._flags import describe_fields, plain_types, summary

Folder = Annotated[Path | None, tyro.conf.arg(metavar="DIR")]
ModelPath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
OutPath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
RecipePath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RECIPE")]
RunPath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]

__all__ = [
    "Common",
    "Device",
    "Folder",
    "Loading",
    "ModelPath",
    "OutPath",
    "RecipePath",
    "RunPath",
    "SetFlags",
    "parse",
    "parse_one_of",
    "say",
    "show",
]

T = TypeVar("T")
SetFlags = Annotated[
    tuple[str, ...],
    tyro.conf.arg(name="set", metavar="KEY=VALUE"),
    tyro.conf.UseAppendAction,
]


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
