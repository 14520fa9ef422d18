"""What a proof will take, said before it starts, from what the run's own stage took.

An arm whose operations are known is priced by them, at the speed of the stage that the proof is
about. Each training token of another is priced like one of that stage, teachers and sampling
included, times the ratio of the models' operations a token. Measuring takes as long as it took
then. Trials that are finished cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hanlin.config import ModelConfig, Recipe, StageConfig
from hanlin.errors import RunError
from hanlin.models import flops_per_token, read_config, resolve_model
from hanlin.models.growth import target_shape
from hanlin.planning.units import count, duration, exact, power
from hanlin.runs.proofs.trial import Trial

__all__ = ["Price", "price_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What is left to do."""

    trials: int
    """Runs that are left."""
    finished: int
    """Runs that are finished."""
    steps: int
    tokens: int
    flops: float
    seconds: float

    def __str__(self) -> str:
        """Say it in a sentence."""
        before = f" ({self.finished} finished before)" if self.finished else ""
        if not self.trials:
            return f"All {self.finished} trainings are finished; nothing is left but to judge them"
        return (
            f"{self.trials} trainings{before}: {exact(self.steps)} steps, {count(self.tokens)} "
            f"tokens, {power(self.flops)} FLOPs, about {duration(self.seconds)} here"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the price as plain values."""
        return asdict(self)


def price_of(trials: Iterable[Trial], result: Mapping[str, Any], vocab_size: int) -> Price:
    """Price trials by the `result` of the stage that they are about.

    Raises:
        RunError: the stage has learnt nothing, so that it has no price.
    """
    listed = list(trials)
    tokens = int(result.get("tokens", 0))
    if not tokens:
        raise RunError(f"The stage {result.get('stage')!r} trained on no tokens; nothing to price.")
    left = [trial for trial in listed if not trial.is_finished]
    steps = used = 0
    flops = seconds = 0.0
    for trial in left:
        for stage, shape in _shapes(trial.as_recipe(), vocab_size):
            here = stage.learning.num_steps * stage.learning.batch_tokens
            size = flops_per_token(shape) / flops_per_token(_shape_of(trial, vocab_size))
            steps, used = steps + stage.learning.num_steps, used + here
            spent = trial.arm.expected or result["flops"] / tokens * here * size
            flops += spent
            seconds += result["seconds"] * spent / result["flops"]
            seconds += float(result.get("measuring_seconds", 0.0))
    return Price(
        trials=len(left),
        finished=len(listed) - len(left),
        steps=steps,
        tokens=used,
        flops=flops,
        seconds=seconds,
    )


def _shape_of(trial: Trial, vocab_size: int) -> ModelConfig:
    """Return the shape of the model that the run's own stage trained."""
    number = trial.recipe.stages.index(trial.stage) + 1
    release = trial.run.stage(number, trial.stage.name) / "model"
    if (release / "config.json").is_file():
        return read_config(release)
    return resolve_model(trial.stage.model or trial.recipe.model, vocab_size)


def _shapes(recipe: Recipe, vocab_size: int) -> list[tuple[StageConfig, ModelConfig]]:
    """Return the stages that learn with their shapes, grown from that of `from` where it is set."""
    shapes: dict[str, ModelConfig] = {}
    for stage in recipe.stages:
        if stage.from_:
            start = shapes.get(stage.from_) or read_config(Path(stage.from_))
            shapes[stage.name] = target_shape(stage.model, start) if stage.model else start
        else:
            shapes[stage.name] = resolve_model(stage.model or recipe.model, vocab_size)
    return [(stage, shapes[stage.name]) for stage in recipe.stages if stage.learns]
