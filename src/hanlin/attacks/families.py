"""The families of attacks on a text, by name.

A family is a pure function of a text and a source of chance: it yields edits, each of which leaves
a reader's understanding as it is, as far as a rule or a table can see to that.

    python -m hanlin.attacks.families
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import get_args

from hanlin.attacks import chinese, english
from hanlin.attacks.edits import Edit
from hanlin.attacks.synonyms import use_synonyms
from hanlin.config import AttackFamily
from hanlin.errors import UserError

__all__ = [
    "CHINESE",
    "ENGLISH",
    "FAMILIES",
    "Family",
    "check_families",
    "choose_families",
    "propose_edits",
]

Family = Callable[[str, random.Random], Iterable[Edit]]

FAMILIES: Mapping[AttackFamily, Family] = {
    "typing": english.mistype,
    "lookalike": english.look_alike,
    "case": english.change_case,
    "sound": chinese.same_sound,
    "shape": chinese.same_shape,
    "split": chinese.split_components,
    "traditional": chinese.to_traditional,
    "pinyin": chinese.to_pinyin,
    "marks": chinese.insert_marks,
    "synonym": use_synonyms,
}
ENGLISH: tuple[AttackFamily, ...] = ("typing", "lookalike", "case", "synonym")
"""The families that find something in English."""
CHINESE: tuple[AttackFamily, ...] = (
    "sound", "shape", "split", "traditional", "pinyin", "marks", "synonym",
)  # fmt: skip
"""The families that find something in Chinese."""


def choose_families(names: Iterable[str]) -> tuple[AttackFamily, ...]:
    """Return the families of these names, each once.

    Raises:
        UserError: there is no such family.
    """
    chosen: dict[AttackFamily, None] = {}
    for name in names:
        known = next((family for family in get_args(AttackFamily) if family == name), None)
        if known is None:
            raise UserError(f"There is no family {name!r}; there are {', '.join(FAMILIES)}.")
        chosen[known] = None
    return tuple(chosen)


def check_families(families: Iterable[AttackFamily]) -> None:
    """Check that what some families need is installed.

    Raises:
        MissingExtraError: it is not.
    """
    if {"sound", "pinyin"} & set(families):
        chinese.load_pinyin()


def propose_edits(text: str, families: Sequence[AttackFamily], rng: random.Random) -> list[Edit]:
    """Return the edits that some families offer for a text, each once."""
    found = (edit for name in families for edit in FAMILIES[name](text, rng))
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    for family in FAMILIES:
        print(family, propose_edits("味道很好, a wonderful film", [family], random.Random(1))[:3])
