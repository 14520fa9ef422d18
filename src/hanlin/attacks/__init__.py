"""Attacks on a model: moves of embeddings, and edits of text that a reader hardly minds."""

from hanlin.attacks.chance import rewrite_text
from hanlin.attacks.edits import Edit, apply_edits, share_out, touched, undo_edits, units_of
from hanlin.attacks.embedding import Ball, embedding_of, moved
from hanlin.attacks.families import (
    CHINESE,
    ENGLISH,
    FAMILIES,
    Family,
    check_families,
    choose_families,
    propose_edits,
)
from hanlin.attacks.search import Attack, Budget, Ranking, Victim, attack_text

__all__ = [
    "CHINESE",
    "ENGLISH",
    "FAMILIES",
    "Attack",
    "Ball",
    "Budget",
    "Edit",
    "Family",
    "Ranking",
    "Victim",
    "apply_edits",
    "attack_text",
    "check_families",
    "choose_families",
    "embedding_of",
    "moved",
    "propose_edits",
    "rewrite_text",
    "share_out",
    "touched",
    "undo_edits",
    "units_of",
]
