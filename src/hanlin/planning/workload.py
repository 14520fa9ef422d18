"""What each stage that learns has to do: its rows, its teachers, and the text of its own.

    own rows     tokens x operations of forward and backward, less what is frozen
    teachers     tokens that they read x operations of forward, while their share lasts
    own text     tokens written and read forward, and those learnt from, in the batches that sample

The counts are those that the stages themselves put into `flops` of their result.json. Where that
depends on the text (continuations or a stage that end early, pairs shorter than the context), the
most that it can be is counted.

    python -m hanlin.planning.workload recipe.toml
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hanlin.config import (
    DistilConfig,
    ExpandConfig,
    ModelConfig,
    Recipe,
    StageConfig,
    TaskStageConfig,
)
from hanlin.planning.sampled_text import SampledText, count_sampled
from hanlin.planning.shapes import ReleaseShape, empty_expansion, list_shapes, shape_of_release

__all__ = ["Workload", "list_workloads"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One stage that learns."""

    stage: StageConfig
    shape: ModelConfig
    """Of what it releases."""
    rows: int
    """Rows of a step."""
    row_tokens: int
    row_flops: float
    """Operations of the stage's own rows, over all steps."""
    trained_share: float
    """Share of the parameters that learn."""
    teachers: tuple[ModelConfig, ...]
    """Models that it hears: teachers, or the reference of language and preferences."""
    teaching_flops: float
    cache_bytes: float
    """What of teachers is kept on disk, so that they are not held beside it; 0 without."""
    sampled: SampledText | None
    """Text of its own."""

    @property
    def tokens(self) -> int:
        """Tokens that all its rows hold."""
        return self.stage.learning.num_steps * self.rows * self.row_tokens

    @property
    def held_bytes(self) -> float:
        """Memory of the models that are held while it learns."""
        return 0.0 if self.cache_bytes else self.teacher_bytes

    @property
    def teacher_bytes(self) -> float:
        """Memory of `teachers`, in fp32."""
        from hanlin.models import count_parameters

        return 4.0 * sum(count_parameters(teacher).total for teacher in self.teachers)

    @property
    def extra_flops(self) -> float:
        """Operations of teachers and of own text."""
        return self.teaching_flops + (self.sampled.flops if self.sampled else 0.0)

    @property
    def flops(self) -> float:
        """Operations of the whole stage."""
        return self.row_flops + self.extra_flops


def list_workloads(recipe: Recipe, vocab_size: int) -> list[Workload]:
    """Return the work of each stage that learns; the recipe's paths are absolute.

    Raises:
        ModelError: a release from elsewhere cannot be read, or a shape is impossible.
    """
    shapes = list_shapes(recipe, vocab_size)
    return [_workload(recipe, stage, shapes) for stage in recipe.stages if stage.learns]


def _workload(recipe: Recipe, stage: StageConfig, shapes: Mapping[str, ReleaseShape]) -> Workload:
    from hanlin.models import forward_flops_per_token
    from hanlin.stages import row_length, teaching_flops

    release = shapes[stage.name]
    length = row_length(stage.model or recipe.model, release.core)
    rows = max(1, stage.learning.batch_tokens // length)
    tokens = stage.learning.num_steps * rows * length
    cost, share = _cost_of_token(stage, release, length)
    teachers: tuple[ModelConfig, ...] = ()
    taught, kept = 0, 0.0
    if stage.kind == "distil":
        config = stage.distil or DistilConfig()
        names = stage.teachers if config.teaches else ()
        teachers = tuple(shape_of_release(name, shapes).whole for name in names)
        taught = teaching_flops(config, stage.learning, teachers, release.whole, length)[1]
        kept = _cache_bytes(config, stage, release.whole.vocab_size, rows, length)
    elif stage.language and stage.language.needs_reference:
        teachers = (shape_of_release(stage.from_, shapes).whole,)
    elif stage.task and stage.task.preference and stage.task.preference.loss != "simpo":
        teachers = (shape_of_release(stage.from_, shapes).whole,)
        taught = tokens * forward_flops_per_token(teachers[0], length)
    return Workload(
        stage=stage,
        shape=release.whole,
        rows=rows,
        row_tokens=length,
        row_flops=float(tokens) * cost,
        trained_share=share,
        teachers=teachers,
        teaching_flops=float(taught),
        cache_bytes=kept if teachers else 0.0,
        sampled=count_sampled(stage, release.whole, rows, length),
    )


def _cache_bytes(
    config: DistilConfig, stage: StageConfig, vocab_size: int, rows: int, length: int
) -> float:
    """Return the size of the taught rows' records, none of them read twice; 0 without a cache."""
    from hanlin.stages import target_record, taught_steps

    if not config.cache_top_k:
        return 0.0
    record = target_record(length, config.cache_top_k, vocab_size)
    return float(taught_steps(config, stage.learning.num_steps) * rows * record.itemsize)


def _cost_of_token(stage: StageConfig, release: ReleaseShape, length: int) -> tuple[float, float]:
    """Return the operations of one token of the stage's rows, and which share of all learns."""
    from hanlin.models import flops_per_token

    if stage.task is not None:
        return _cost_of_example(stage.task, release, length)
    if stage.kind != "expand":
        return flops_per_token(release.whole, length), 1.0
    return _beside_core(release, stage.expand or ExpandConfig(), length)


def _cost_of_example(
    task: TaskStageConfig, release: ReleaseShape, length: int
) -> tuple[float, float]:
    """Return the same for a stage of examples, which adversarial training reads several times."""
    from hanlin.models import flops_per_token, forward_flops_per_token

    passes = task.adversarial.passes if task.adversarial else 1.0
    if task.method == "full":
        return passes * flops_per_token(release.whole, length), 1.0
    if task.method == "frozen":
        return passes * forward_flops_per_token(release.whole, length), 0.0
    lora = ExpandConfig(method="lora", rank=task.rank, alpha=task.alpha)
    cost, share = _beside_core(release, lora, length)
    return passes * cost, share


def _beside_core(release: ReleaseShape, added: ExpandConfig, length: int) -> tuple[float, float]:
    """Return the same where the core is frozen and something added to it learns."""
    from hanlin.models import step_flops_per_token

    module = empty_expansion(release.core, added)
    sizes = [(p.numel(), p.requires_grad) for p in module.parameters()]
    share = sum(size for size, learns in sizes if learns) / sum(size for size, _ in sizes)
    return step_flops_per_token(module, length), share


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from hanlin.config import load_recipe, with_absolute_paths

    file = Path(sys.argv[1])
    asked = with_absolute_paths(load_recipe(file), file.parent)
    for work in list_workloads(asked, asked.tokenizer.vocab_size):
        print(f"{work.stage.name}: {work.tokens:,} tokens, {work.flops:.3g} operations")
