"""The shape that each stage of a recipe releases, before any of them has run.

A stage without `from` is as it asks; a distil stage grows or shrinks what it starts from; an expand
stage adds to its core; all others keep the shape that they start with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hanlin.config import ExpandConfig, ModelConfig, Recipe, StageConfig

if TYPE_CHECKING:
    from hanlin.models import Decoder

__all__ = ["ReleaseShape", "empty_expansion", "list_shapes", "shape_of_release"]


@dataclass(frozen=True, slots=True)
class ReleaseShape:
    """A release's shape; the two differ where an expansion lies beside the core."""

    core: ModelConfig
    whole: ModelConfig
    """Of core and expansion together: what is used, measured and started from."""


def list_shapes(recipe: Recipe, vocab_size: int) -> dict[str, ReleaseShape]:
    """Return the shape of each stage's release by the stage's name; paths are absolute.

    Raises:
        ModelError: a release from elsewhere cannot be read, or a shape is impossible.
    """
    shapes: dict[str, ReleaseShape] = {}
    for stage in recipe.stages:
        shapes[stage.name] = _shape(recipe, stage, shapes, vocab_size)
    return shapes


def shape_of_release(name: str, shapes: Mapping[str, ReleaseShape]) -> ReleaseShape:
    """Return the shape of what `from` or `teachers` name: a stage, or a released folder."""
    if name in shapes:
        return shapes[name]
    from hanlin.models import load_release, read_config
    from hanlin.models.expansion import choose_expansion

    folder = Path(name)
    core = read_config(folder)
    return ReleaseShape(
        core, load_release(folder).config if choose_expansion(folder, None) else core
    )


def empty_expansion(core: ModelConfig, config: ExpandConfig) -> Decoder:
    """Return an expanded model without any memory, of which the new parameters learn."""
    import torch

    from hanlin.models import Decoder
    from hanlin.models.expansion import begin_expansion

    with torch.device("meta"):
        return begin_expansion(Decoder(core), config, torch.Generator("cpu"))


def _shape(
    recipe: Recipe, stage: StageConfig, shapes: Mapping[str, ReleaseShape], vocab_size: int
) -> ReleaseShape:
    from hanlin.models import resolve_model
    from hanlin.models.growth import target_shape

    if not stage.from_:
        shape = resolve_model(stage.model or recipe.model, vocab_size)
        return ReleaseShape(shape, shape)
    start = shape_of_release(stage.from_, shapes)
    if stage.kind in ("generate", "checkpoint"):
        return start
    if stage.kind == "expand":
        config = stage.expand or ExpandConfig()
        core = start.core if config.over == "core" else start.whole
        return ReleaseShape(core, empty_expansion(core, config).config)
    shape = start.whole
    if stage.kind == "distil" and stage.model is not None:
        shape = target_shape(stage.model, shape)
    return ReleaseShape(shape, shape)
