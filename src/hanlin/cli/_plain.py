"""Plain flags, read without the library that checks and explains all others.

To import it and to describe thirty flags to it takes as long as everything else that
`hanlin generate` does before it writes. Most calls consist of flags with one value each, which are
read here; with anything else, a mistake above all, the whole line goes to
`hanlin.cli._command.parse`. A test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

__all__ = ["read_plain"]


def read_plain(
    arguments: Sequence[str],
    kinds: Mapping[str, Callable[[str], Any]],
    *,
    switches: Collection[str] = (),
    repeated: Collection[str] = (),
) -> tuple[list[str], dict[str, Any]] | None:
    """Return the words that belong to no flag, and the values of the flags by their names.

    `kinds` turns the word after a flag into its value, `switches` need none, and those in
    `repeated` may stand several times. Returns None for a line that is not plain.

    >>> read_plain(["runs/a", "--top-k", "5", "--json"], {"top_k": int}, switches=["json"])
    (['runs/a'], {'top_k': 5, 'json': True})
    """
    others: list[str] = []
    values: dict[str, Any] = {}
    rest = iter(arguments)
    for word in rest:
        if not word.startswith("-"):
            others.append(word)
            continue
        name = word.removeprefix("--").replace("-", "_")
        if name in switches:
            values[name] = True
            continue
        text = next(rest, "-")
        if name not in kinds or text.startswith("-"):
            return None
        try:
            value = kinds[name](text)
        except ValueError:
            return None
        if name in repeated:
            values[name] = (*values.get(name, ()), value)
        elif name in values:
            return None
        else:
            values[name] = value
    return others, values
