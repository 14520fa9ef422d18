"""Whether each stage's shape follows from the one it starts from, and its teachers fit it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hanlin.config import DistilConfig, ModelConfig, Recipe, StageConfig
from hanlin.errors import RecipeError
from hanlin.models import read_config, resolve_model
from hanlin.models.growth import check_growth, check_shrinkage, target_shape
from hanlin.runs.checks.tasks import check_low_rank
from hanlin.stages import check_context, check_language, check_tokenizer, row_length
from hanlin.tokenizers import load_tokenizer

__all__ = ["check_shapes", "known_context"]


def check_shapes(recipe: Recipe) -> None:
    """Check the shape that each stage releases, as far as it is known before the run.

    Raises:
        RecipeError: a batch is shorter than one row, a teacher than the rows it is to read, or a
            row than the continuations that a language stage writes; or more of a teacher's tokens
            are to be kept than there are.
        ModelError: the preset is unknown, or a shape is impossible, or cannot be grown to.
        TokenizerError: a release from elsewhere that a distil stage reads has another tokenizer.
    """
    vocab_size = 0 if recipe.tokenizer.path else recipe.tokenizer.vocab_size
    resolve_model(recipe.model, vocab_size or 1)
    shapes: dict[str, ModelConfig | None] = {}
    for stage in recipe.stages:
        if stage.kind == "distil":
            _check_tokenizers(recipe, stage, shapes)
        shapes[stage.name] = shape = _shape_of(recipe, stage, shapes, vocab_size or 1)
        if shape is not None and stage.learns and not stage.from_:
            _check_batch(stage, shape.context_length)
        _check_cache(recipe, stage)
        if shape is not None:
            check_language(stage, row_length(stage.model or recipe.model, shape))
            _check_teachers(recipe, stage, shape, shapes)


def known_context(recipe: Recipe, stage: StageConfig) -> int | None:
    """Return the context of the model that a stage starts from; None where it is not known yet."""
    name = stage.from_
    own = {other.name: other for other in recipe.stages}
    while name in own and not own[name].learns:
        name = own[name].from_
    shapes: dict[str, ModelConfig | None] = {}
    for other in recipe.stages:
        shapes[other.name] = _shape_of(recipe, other, shapes, recipe.tokenizer.vocab_size)
    shape = _known_shape(name, shapes)
    return None if shape is None else shape.context_length


def _check_batch(stage: StageConfig, context: int) -> None:
    if stage.learning.batch_tokens < context:
        raise RecipeError(
            f"The stage {stage.name!r} has training.batch_tokens "
            f"{stage.learning.batch_tokens}, less than one row of model.context_length "
            f"{context}. Set batch_tokens to {context} or more, or shorten the context."
        )


def _check_cache(recipe: Recipe, stage: StageConfig) -> None:
    """Refuse to keep more tokens of a teacher's than there are."""
    if stage.distil is None or not stage.distil.cache_top_k:
        return
    path, kept = recipe.tokenizer.path, stage.distil.cache_top_k
    size = load_tokenizer(Path(path)).vocab_size if path else recipe.tokenizer.vocab_size
    if kept > size:
        raise RecipeError(
            f"The stage {stage.name!r} has distil.cache_top_k = {kept}, and the vocabulary has "
            f"{size} entries. Set it to 64, or to {size} to keep all."
        )


def _check_tokenizers(recipe: Recipe, stage: StageConfig, earlier: Mapping[str, object]) -> None:
    """Compare the tokenizers of releases from elsewhere with the run's, where that is known yet."""
    if not recipe.tokenizer.path:
        return  # it is trained by the run; the stage compares before it starts
    tokenizer = load_tokenizer(Path(recipe.tokenizer.path))
    for name in (stage.from_, *stage.teachers):
        if name and name not in earlier:
            check_tokenizer(Path(name), tokenizer)


def _check_teachers(
    recipe: Recipe,
    stage: StageConfig,
    shape: ModelConfig,
    shapes: Mapping[str, ModelConfig | None],
) -> None:
    length = row_length(stage.model or recipe.model, shape)
    for name in stage.teachers:
        teacher = _known_shape(name, shapes)
        if teacher is not None:
            check_context(name, teacher, length)


def _known_shape(name: str, shapes: Mapping[str, ModelConfig | None]) -> ModelConfig | None:
    return shapes[name] if name in shapes else read_config(Path(name))


def _shape_of(
    recipe: Recipe, stage: StageConfig, shapes: Mapping[str, ModelConfig | None], vocab_size: int
) -> ModelConfig | None:
    """Return the shape that a stage releases; None where only the stage itself knows."""
    if not stage.from_:
        return resolve_model(stage.model or recipe.model, vocab_size)
    start = _known_shape(stage.from_, shapes)
    if start is None or stage.kind not in ("distil", "language", "task"):
        return None
    if stage.kind == "task":
        check_low_rank(stage, start)
    if stage.kind in ("language", "task") or stage.model is None:
        return start
    shape = target_shape(stage.model, start)
    if shape.num_layers < start.num_layers:
        check_shrinkage(start, shape)
    else:
        check_growth(start, shape, (stage.distil or DistilConfig()).depth)
    return shape
