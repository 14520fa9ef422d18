"""Levels that could never be reached, and expansions that fit no core, refused before training."""

from __future__ import annotations

from pathlib import Path

from hanlin.config import ExpandConfig, LevelConfig, ModelConfig, Recipe, StageConfig
from hanlin.errors import RecipeError
from hanlin.evaluation import short_language
from hanlin.models import read_config, resolve_model
from hanlin.models.expansion import check_expansion, list_expansions
from hanlin.text import Manifest

__all__ = ["check_expansions", "check_languages", "check_levels"]

_MEASURED = ("bits_per_byte",)
"""What the evaluations of a stage that learns measure, of each language."""


def check_levels(recipe: Recipe) -> None:
    """Check that the evaluations of a recipe can reach each level that it sets.

    Raises:
        RecipeError: the metric is none of theirs, or there are too few of them.
    """
    for stage in recipe.stages:
        if stage.training is not None and stage.training.until is not None:
            _check(stage, "training.until", stage.training.until, stage.training.num_evaluations)
        trigger = stage.expand.trigger if stage.expand else None
        if trigger is None:
            continue
        source = _stage_named(recipe, stage.from_)
        if source is not None and source.training is not None:
            _check(stage, "expand.trigger", trigger, source.training.num_evaluations)
            _refuse_early_end(stage, trigger, source)
            continue
        _check(stage, "expand.trigger", trigger, 1)
        if stage.replay is None:
            raise RecipeError(
                f"The stage {stage.name!r} has a trigger and starts from {stage.from_!r}, which "
                "brings no evaluations along. Name the text to measure it on: replay.parts."
            )


def check_languages(recipe: Recipe, manifest: Manifest) -> None:
    """Check that the corpus holds out text of the language of each level.

    Raises:
        RecipeError: naming the languages that it does hold out.
    """
    for stage in recipe.stages:
        if stage.training is not None and stage.training.until is not None:
            _check_language(stage, stage.training.until, recipe.parts_of(stage), manifest)
        if stage.expand is not None and stage.expand.trigger is not None:
            source = _stage_named(recipe, stage.from_)
            known = source is not None and source.training is not None
            parts = recipe.parts_of(source) if source and known else ()
            if not known and stage.replay is not None:
                parts = stage.replay.parts
            _check_language(stage, stage.expand.trigger, parts, manifest)


def check_expansions(recipe: Recipe) -> None:
    """Check expansions of cores whose shape is known before they are there.

    Raises:
        ModelError: a core cannot be expanded so.
        RecipeError: a name of an expansion means something else.
    """
    for stage in recipe.stages:
        if stage.kind != "expand":
            continue
        config = stage.expand or ExpandConfig()
        if (config.name or stage.name) == "off":
            raise RecipeError("An expansion cannot be named 'off', which means none: expand.name.")
        shape = _shape_of_core(recipe, stage)
        if shape is not None:
            check_expansion(shape, config)


def _check(stage: StageConfig, key: str, level: LevelConfig, evaluations: int) -> None:
    if level.measure not in _MEASURED:
        raise RecipeError(
            f"The stage {stage.name!r} has {key}.metric {level.metric!r}; the evaluations measure "
            f"{', '.join(_MEASURED)} by language, such as bits_per_byte.zh."
        )
    if level.times > evaluations:
        raise RecipeError(
            f"The stage {stage.name!r} has {key}.times {level.times}, but there are "
            f"{evaluations} evaluations in all. Lower it, or evaluate more often "
            "(training.eval_every)."
        )


def _refuse_early_end(stage: StageConfig, trigger: LevelConfig, source: StageConfig) -> None:
    """Refuse a trigger that asks for more evaluations than the stage before it ends after."""
    until = source.learning.until
    if until is None or until.metric != trigger.metric or until.times >= trigger.times:
        return
    gap = trigger.level - until.level
    if gap <= 0 if trigger.lower_is_better else gap >= 0:
        raise RecipeError(
            f"The stage {stage.name!r} waits for {trigger.times} evaluations of {source.name!r} in "
            f"a row at {trigger.metric} {trigger.level:g}, but that stage ends after "
            f"{until.times} at {until.level:g}. Set training.until.times of {source.name!r} to "
            f"{trigger.times} or more."
        )


def _check_language(
    stage: StageConfig, level: LevelConfig, parts: tuple[str, ...], manifest: Manifest
) -> None:
    amounts = [amount for part in parts for amount in manifest.parts[part].amounts]
    found = sorted({short_language(a.language) for a in amounts if a.split == "validation"})
    language = level.metric.split(".", 1)[1]
    if language not in found:
        raise RecipeError(
            f"The stage {stage.name!r} waits for {level.metric}, but the parts {list(parts)} hold "
            f"out text of {', '.join(found) or 'no language'} alone. Name one of these."
        )


def _stage_named(recipe: Recipe, name: str) -> StageConfig | None:
    return next((stage for stage in recipe.stages if stage.name == name), None)


def _shape_of_core(recipe: Recipe, stage: StageConfig) -> ModelConfig | None:
    """Return the shape of what a stage starts from, or None where another stage decides it."""
    beside = stage.kind == "expand" and (stage.expand or ExpandConfig()).over == "core"
    source = _stage_named(recipe, stage.from_)
    if source is None:
        folder = Path(stage.from_)
        return read_config(folder) if beside or not list_expansions(folder) else None
    if source.kind == "expand":
        return _shape_of_core(recipe, source) if beside else None
    if source.kind in ("language", "task") and source.from_:
        return _shape_of_core(recipe, source)
    return None if source.from_ else resolve_model(source.model or recipe.model, 1)
