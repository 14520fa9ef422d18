"""What a recipe will take, before anything runs: parameters, tokens, FLOPs, memory, time, money.

With a probe, time and memory come from real steps of the very model at the very batch, and from the
real tokenizer and corpus code on a sample; without one, or where the model does not fit this
machine, they come from formulas and say on what they stand.

    python -m hanlin.planning recipe.toml
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hanlin.config import ModelConfig, Recipe, StageConfig, TrainingConfig
from hanlin.errors import RecipeError
from hanlin.planning.formulas import Hardware, flops_formula, memory_parts, stage_flops
from hanlin.planning.phases import corpus_phases, evaluation_phases, training_phases
from hanlin.planning.preparation import Preparation, probe_preparation
from hanlin.planning.prices import Prices
from hanlin.planning.probe import Speed, probe_training
from hanlin.planning.result import Plan, StagePlan
from hanlin.planning.sampling import CorpusEstimate, bytes_per_token, estimate_corpus

__all__ = ["plan"]


def plan(
    recipe: Recipe,
    *,
    corpus: CorpusEstimate | None = None,
    base: Path = Path(),
    probe: bool = True,
    hardware: Hardware | None = None,
    price_per_hour: float = 0.0,
    kilowatts: float = 0.0,
    price_per_kilowatt_hour: float = 0.0,
    currency: str = "",
    price_date: str = "",
) -> Plan:
    """Plan a recipe.

    Args:
        recipe: what is to be run.
        corpus: an estimate of its corpus; made from a sample unless given.
        base: the folder at which relative source paths start.
        probe: whether real steps are timed here; the model has to fit.
        hardware: the machine that a plan by formula is for; its peak is measured here unless given.
        price_per_hour: what an hour of the machine costs.
        kilowatts: what it draws, for a machine of one's own.
        price_per_kilowatt_hour: what a kilowatt-hour costs.
        currency: of both prices.
        price_date: when they held.

    Raises:
        DataError: a source of the corpus cannot be read.
        RecipeError: no stage learns, so that there is nothing to plan.
        UserError: a price is negative.
    """
    prices = Prices(
        per_hour=price_per_hour,
        kilowatts=kilowatts,
        per_kilowatt_hour=price_per_kilowatt_hour,
        currency=currency,
        date=price_date,
    )
    if not any(stage.learns for stage in recipe.stages):
        raise RecipeError(
            f"No stage of the recipe {recipe.name!r} learns; what the others take cannot be "
            "planned. Just run it."
        )
    found = corpus or estimate_corpus(recipe.corpus, base)
    planner = _Planner(recipe, found, prices)
    if hardware is not None or not probe:
        return planner.by_formula(hardware or _this_machine(recipe), ())
    obstacle = planner.obstacle()
    if obstacle:
        return planner.by_formula(_this_machine(recipe), (obstacle,))
    return planner.by_probe()


@dataclass(frozen=True)
class _Planner:
    recipe: Recipe
    corpus: CorpusEstimate
    prices: Prices

    def by_probe(self) -> Plan:
        """Measure, then scale to the whole run."""
        around = probe_preparation(self.corpus.text, self.recipe.tokenizer, self.recipe.evaluation)
        document_tokens = round(self._document_tokens())
        speeds = [
            probe_training(self.model, stage.learning, document_tokens=document_tokens)
            for stage in self.stages
        ]
        phases = corpus_phases(self.recipe, self.corpus, around)
        for stage, speed in zip(self.stages, speeds, strict=True):
            tokens = self.tokens
            _add(phases, training_phases(self.recipe, stage.learning, self.corpus, speed, tokens))
            _add(phases, evaluation_phases(self.recipe, self.corpus, around, speed, tokens))
        seconds = [
            stage.learning.num_steps * speed.step_seconds
            for stage, speed in zip(self.stages, speeds, strict=True)
        ]
        timed = sum(speed.steps for speed in speeds)
        return self._plan(
            seconds,
            phases,
            peak=self._peak(around, speeds),
            basis=f"{timed} training steps and a sample of the corpus, on {speeds[0].placement}",
            microbatch=speeds[0].microbatch,
            notes=self._unsupported(around),
        )

    def by_formula(self, hardware: Hardware, notes: tuple[str, ...]) -> Plan:
        """Divide FLOPs by a speed."""
        seconds = [
            stage_flops(self.model, stage.learning) / hardware.flops_per_second
            for stage in self.stages
        ]
        phases = {"corpus": self.corpus.seconds, "training": sum(seconds)}
        basis = (
            f"formulas: FLOPs / ({hardware.devices} × {hardware.peak_flops / 1e12:.4g} TFLOP/s × "
            f"MFU {hardware.mfu:.0%}) on {hardware.name}".replace("%", " %")
        )
        left_out = "Tokenizer, evaluation and report are not in a time by formula."
        return self._plan(seconds, phases, peak=None, basis=basis, notes=(*notes, left_out))

    def _unsupported(self, around: Preparation) -> tuple[str, ...]:
        """Warn of a vocabulary that the text does not support, where all of it was looked at."""
        wanted = self.recipe.tokenizer.vocab_size
        whole = self.corpus.sample_bytes >= 0.95 * self.corpus.text_bytes
        if self.recipe.tokenizer.path or around.vocab_size >= wanted or not whole:
            return ()
        return (
            f"The text supports fewer than {wanted:,} entries; {around.vocab_size:,} were tried. "
            "Set tokenizer.vocab_size lower, or the run will be refused.",
        )

    def _unplanned(self) -> tuple[str, ...]:
        """Name the stages that learn nothing: they take minutes at most and are not planned."""
        names = [stage.name for stage in self.recipe.stages if not stage.learns]
        return (f"Not in this plan: {', '.join(names)}, which learn nothing.",) if names else ()

    def obstacle(self) -> str:
        """Say why the model cannot be tried here; empty where it can."""
        from hanlin.planning.machine import available_memory
        from hanlin.planning.units import size

        needed = sum(self._memory().values())
        there = available_memory()
        if there is not None and needed > 0.9 * there:
            return (
                f"The model needs about {size(needed)} of memory and {size(there)} are free here, "
                "so nothing was timed."
            )
        return ""

    @property
    def stages(self) -> tuple[StageConfig, ...]:
        """The stages that learn; the others take seconds."""
        return tuple(stage for stage in self.recipe.stages if stage.learns)

    @property
    def model(self) -> ModelConfig:
        """The complete shape."""
        from hanlin.models import resolve_model

        return resolve_model(self.recipe.model, _vocabulary(self.recipe))

    @property
    def tokens(self) -> float:
        """Training tokens of one epoch."""
        config = self.recipe.tokenizer
        return self.corpus.tokens(_vocabulary(self.recipe), config.kind)

    def _document_tokens(self) -> float:
        config = self.recipe.tokenizer
        length = bytes_per_token(self.corpus.shares, _vocabulary(self.recipe), config.kind)
        return max(8.0, self.corpus.kept_bytes / max(1.0, self.corpus.documents) / length)

    def _memory(self, microbatch: int = 0) -> dict[str, float]:
        """Return the largest stage's memory by part."""
        from hanlin.training import cpu_has_bf16

        def parts(training: TrainingConfig) -> dict[str, float]:
            bf16 = training.precision == "bf16" or (training.precision == "auto" and cpu_has_bf16())
            rows = microbatch or training.microbatch or _microbatch(self.model, training)
            return memory_parts(self.model, training, microbatch=rows, bf16=bf16)

        stages = [parts(stage.learning) for stage in self.stages]
        return max(stages, key=lambda stage: sum(stage.values()))

    def _peak(self, around: Preparation, speeds: list[Speed]) -> float:
        """Return the largest of the phases' peaks: they follow each other in one process."""
        training = max(speed.peak_bytes for speed in speeds)
        text = min(self.corpus.train_bytes, self.recipe.tokenizer.train_megabytes * 1e6)
        counted = min(self.tokens, self.recipe.evaluation.ngram_tokens)
        weights = 12.0 * sum(_parameters(self.model).values())
        return around.dictionaries + max(
            training,
            around.program + around.tokenizer_peak(text),
            around.program + weights + around.ngram_bytes_per_token * counted,
        )

    def _plan(
        self,
        seconds: list[float],
        phases: Mapping[str, float],
        *,
        peak: float | None,
        basis: str,
        microbatch: int = 0,
        notes: tuple[str, ...] = (),
    ) -> Plan:
        memory = self._memory(microbatch)
        stages = tuple(
            StagePlan(
                name=stage.name,
                steps=stage.learning.num_steps,
                batch_tokens=stage.learning.batch_tokens,
                tokens=(tokens := stage.learning.num_steps * stage.learning.batch_tokens),
                epochs=tokens / max(1.0, self.tokens),
                flops=stage_flops(self.model, stage.learning),
                seconds=time,
                tokens_per_second=tokens / max(1e-9, time),
            )
            for stage, time in zip(self.stages, seconds, strict=True)
        )
        return Plan(
            name=self.recipe.name,
            model=self.model,
            parameters=_parameters(self.model),
            flops_formula=flops_formula(self.model),
            corpus=self.corpus,
            stages=stages,
            memory=memory,
            peak_bytes=sum(memory.values()) if peak is None else peak,
            phases=phases,
            prices=self.prices,
            basis=basis,
            notes=(*notes, *_warnings(stages), *self._unplanned()),
        )


def _warnings(stages: tuple[StagePlan, ...]) -> list[str]:
    return [
        f"Stage {stage.name} reads the corpus {stage.epochs:.0f} times; beyond about 4 times a "
        "further epoch teaches little, and beyond 16 next to nothing."
        for stage in stages
        if stage.epochs > 5
    ]


def _parameters(model: ModelConfig) -> dict[str, int]:
    from hanlin.models import count_parameters

    counted = count_parameters(model)
    parts = ("embedding", "positions", "attention", "mlp", "norms", "head")
    return {part: getattr(counted, part) for part in parts if getattr(counted, part)}


def _vocabulary(recipe: Recipe) -> int:
    config = recipe.tokenizer
    if not config.path:
        return config.vocab_size
    from hanlin.tokenizers import load_tokenizer

    return load_tokenizer(Path(config.path)).vocab_size


def _microbatch(model: ModelConfig, training: TrainingConfig) -> int:
    """Return the microbatch that training would choose, from a model without any memory."""
    import torch

    from hanlin.models import Decoder
    from hanlin.training.step import choose_microbatch

    with torch.device("meta"):
        empty = Decoder(model)
    rows = max(1, training.batch_tokens // model.context_length)
    return choose_microbatch(empty, rows, model.context_length)


def _this_machine(recipe: Recipe) -> Hardware:
    from hanlin.training import choose_placement, measure_peak_flops

    placement = choose_placement("auto", _first_learning(recipe).precision)
    return Hardware(peak_flops=measure_peak_flops(placement), name=f"this machine ({placement})")


def _add(phases: dict[str, float], more: Mapping[str, float]) -> None:
    for name, seconds in more.items():
        phases[name] = phases.get(name, 0.0) + seconds


def _first_learning(recipe: Recipe) -> TrainingConfig:
    return next(stage.learning for stage in recipe.stages if stage.learns)
