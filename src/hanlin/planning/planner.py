"""How a plan is made of what its stages have to do: by real steps here, or by formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hanlin.config import ModelConfig, Recipe, with_absolute_paths
from hanlin.errors import RecipeError
from hanlin.planning.formulas import Hardware, flops_formula, memory_parts
from hanlin.planning.phases import corpus_phases, evaluation_phases, training_phases
from hanlin.planning.preparation import Preparation, probe_preparation
from hanlin.planning.prices import Prices
from hanlin.planning.probe import Speed, probe_training
from hanlin.planning.result import Plan, StagePlan
from hanlin.planning.sampled_text import choose_rows
from hanlin.planning.sampling import CorpusEstimate, bytes_per_token, estimate_corpus
from hanlin.planning.workload import Workload, list_workloads

__all__ = ["Planner"]


@dataclass(frozen=True)
class Planner:
    """A recipe with everything that is known of it before it runs."""

    recipe: Recipe
    corpus: CorpusEstimate
    prices: Prices
    vocab_size: int
    stages: Sequence[Workload]
    """The stages that learn; the others take seconds."""

    @classmethod
    def of(
        cls, recipe: Recipe, corpus: CorpusEstimate | None, base: Path, prices: Prices
    ) -> Planner:
        """Look at the text, unless it is known, and at what each stage has to do."""
        if not any(stage.learns for stage in recipe.stages):
            raise RecipeError(
                f"No stage of the recipe {recipe.name!r} learns; what the others take cannot be "
                "planned. Just run it."
            )
        placed = with_absolute_paths(recipe, base)
        vocab_size = _vocabulary(placed)
        stages = list_workloads(placed, vocab_size)
        found = corpus or estimate_corpus(recipe.corpus, base)
        return cls(placed, found, prices, vocab_size, stages)

    def by_probe(self) -> Plan:
        """Measure, then scale to the whole run."""
        around = probe_preparation(self.corpus.text, self.recipe.tokenizer, self.recipe.evaluation)
        document_tokens = round(self._document_tokens())
        speeds = [
            probe_training(work.shape, work.stage.learning, document_tokens=document_tokens)
            for work in self.stages
        ]
        phases = corpus_phases(self.recipe, self.corpus, around)
        seconds = []
        for work, speed in zip(self.stages, speeds, strict=True):
            tokens = self._tokens
            learning = training_phases(self.recipe, work, self.corpus, speed, tokens)
            seconds.append(sum(learning[name] for name in ("training", "teachers", "own text")))
            _add(phases, learning)
            _add(phases, evaluation_phases(self.recipe, work, self.corpus, around, speed, tokens))
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
        seconds = [work.flops / hardware.flops_per_second for work in self.stages]
        phases = {"corpus": self.corpus.seconds, "training": sum(seconds)}
        basis = (
            f"formulas: FLOPs / ({hardware.devices} × {hardware.peak_flops / 1e12:.4g} TFLOP/s × "
            f"MFU {hardware.mfu:.0%}) on {hardware.name}".replace("%", " %")
        )
        left_out = "Tokenizer, evaluation and report are not in a time by formula."
        return self._plan(seconds, phases, peak=None, basis=basis, notes=(*notes, left_out))

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

    def this_machine(self) -> Hardware:
        """Measure the peak of the machine that plans."""
        from hanlin.training import choose_placement, measure_peak_flops

        placement = choose_placement("auto", self.stages[0].stage.learning.precision)
        peak = measure_peak_flops(placement)
        return Hardware(peak_flops=peak, name=f"this machine ({placement})")

    @property
    def _tokens(self) -> float:
        """Training tokens of one epoch."""
        return self.corpus.tokens(self.vocab_size, self.recipe.tokenizer.kind)

    def _document_tokens(self) -> float:
        length = bytes_per_token(self.corpus.shares, self.vocab_size, self.recipe.tokenizer.kind)
        return max(8.0, self.corpus.kept_bytes / max(1.0, self.corpus.documents) / length)

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

    def _memory(self, microbatch: int = 0) -> dict[str, float]:
        """Return the largest stage's memory by part."""
        parts = [_memory_of(work, microbatch) for work in self.stages]
        return max(parts, key=lambda part: sum(part.values()))

    def _peak(self, around: Preparation, speeds: list[Speed]) -> float:
        """Return the largest of the phases' peaks: they follow each other in one process."""
        training = max(
            max(speed.peak_bytes + work.held_bytes, around.program + work.teacher_bytes)
            for work, speed in zip(self.stages, speeds, strict=True)
        )
        text = min(self.corpus.train_bytes, self.recipe.tokenizer.train_megabytes * 1e6)
        counted = min(self._tokens, self.recipe.evaluation.ngram_tokens)
        weights = 12.0 * max(sum(_parameters(work.shape).values()) for work in self.stages)
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
            _stage_plan(work, time, self._tokens)
            for work, time in zip(self.stages, seconds, strict=True)
        )
        last = self.stages[-1].shape
        return Plan(
            name=self.recipe.name,
            model=last,
            parameters=_parameters(last),
            flops_formula=flops_formula(last),
            corpus=self.corpus,
            stages=stages,
            memory=memory,
            peak_bytes=sum(memory.values()) if peak is None else peak,
            phases=phases,
            prices=self.prices,
            basis=basis,
            notes=(*notes, *_warnings(stages), *self._unplanned()),
        )


def _stage_plan(work: Workload, seconds: float, epoch_tokens: float) -> StagePlan:
    return StagePlan(
        name=work.stage.name,
        model=work.shape,
        steps=work.stage.learning.num_steps,
        batch_tokens=work.stage.learning.batch_tokens,
        tokens=work.tokens,
        epochs=work.tokens / max(1.0, epoch_tokens),
        flops=work.flops,
        extra_flops=work.extra_flops,
        teaching_flops=work.teaching_flops,
        cache_bytes=work.cache_bytes,
        seconds=seconds,
        tokens_per_second=work.tokens / max(1e-9, seconds),
    )


def _warnings(stages: tuple[StagePlan, ...]) -> list[str]:
    return [
        f"Stage {stage.name} reads the corpus {stage.epochs:.0f} times; beyond about 4 times a "
        "further epoch teaches little, and beyond 16 next to nothing."
        for stage in stages
        if stage.epochs > 5
    ]


def _memory_of(work: Workload, microbatch: int) -> dict[str, float]:
    from hanlin.training import cpu_has_bf16

    training = work.stage.learning
    bf16 = training.precision == "bf16" or (training.precision == "auto" and cpu_has_bf16())
    rows = microbatch or training.microbatch or choose_rows(work.shape, work.rows, work.row_tokens)
    parts = memory_parts(work.shape, training, microbatch=rows, bf16=bf16)
    for name in ("gradients", "optimiser"):
        parts[name] *= work.trained_share
    return {**parts, "teachers": work.held_bytes} if work.held_bytes else parts


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


def _add(phases: dict[str, float], more: Mapping[str, float]) -> None:
    for name, seconds in more.items():
        phases[name] = phases.get(name, 0.0) + seconds
