"""Shares of transformed text that cannot be meant are refused, by key and value."""

from __future__ import annotations

from typing import Any

import pytest

from hanlin.config import StageConfig, parse_recipe
from hanlin.errors import RecipeError


def _stage(augment: dict[str, Any], schedule: dict[str, Any], **changes: Any) -> StageConfig:
    stage = {
        "name": "base",
        "kind": "language",
        "training": {"steps": 100, "schedule": schedule},
        "augment": augment,
    } | changes
    table = {"name": "a", "corpus": {"sources": [{"path": "text"}]}, "stages": [stage]}
    return parse_recipe(table, where="recipe.toml").stages[0]


@pytest.mark.parametrize(
    ("schedule", "until", "steps"),
    [
        ({"kind": "wsd", "decay_share": 0.2}, None, 80),
        ({"kind": "constant"}, None, 100),
        ({"kind": "wsd", "decay_share": 0.2}, 0.5, 50),
        ({"kind": "cosine"}, 0.6, 60),
    ],
)
def test_augmentation_stops_where_the_rate_begins_to_fall_or_where_it_is_told(
    schedule: dict[str, Any], until: float | None, steps: int
) -> None:
    augment = {"infill": 0.1} | ({} if until is None else {"until": until})
    assert _stage(augment, schedule).augmented_steps == steps


@pytest.mark.parametrize(
    ("augment", "schedule", "message"),
    [
        ({"infill": 0.3, "reverse": 0.3}, {}, r"`stages\.0\.augment`: the shares add up to 0\.6"),
        ({"until": 0.5}, {}, "no transformation has a share"),
        ({"infil": 0.1}, {}, "Did you mean `infill`"),
        ({"infill": 0.1}, {"kind": "cosine"}, r"`augment\.until`"),
        ({"infill": 0.1}, {"warmup_share": 0.0, "decay_share": 1.0}, "at the first step"),
    ],
)
def test_impossible_shares_are_refused(
    augment: dict[str, Any], schedule: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        _stage(augment, schedule)


def test_replay_and_augmentation_must_leave_room_for_new_text() -> None:
    replay = {"share": 0.7, "parts": ["old"]}
    with pytest.raises(RecipeError, match="leave no row for new text"):
        _stage({"infill": 0.3}, {}, replay=replay)
