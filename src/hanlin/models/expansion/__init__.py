"""Expansions: small sets of new tensors beside a frozen core, and how they are kept."""

from hanlin.models.expansion.base import Expansion
from hanlin.models.expansion.methods import (
    apply_expansion,
    begin_expansion,
    check_expansion,
    extract_expansion,
)
from hanlin.models.expansion.storage import (
    choose_expansion,
    list_expansions,
    read_expansion,
    write_expansion,
)

__all__ = [
    "Expansion",
    "apply_expansion",
    "begin_expansion",
    "check_expansion",
    "choose_expansion",
    "extract_expansion",
    "list_expansions",
    "read_expansion",
    "write_expansion",
]
