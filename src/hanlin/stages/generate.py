"""The generate stage: the way of drawing that writes most like people, chosen and compared.

    winner = the sampler with the least distance to human text after validation prompts
    distance: see `hanlin.evaluation.closeness`; the scorer is the run's Kneser-Ney model

The winner is then set beside the recipe's own sampling on other prompts, those of the test split,
with several seeds; that comparison goes into the ledger, lost or won. The release is the one that
the stage starts from, with the winner as its proposal (generation_config.json). Nothing is learnt.
A small study beside it tells what the model's predictions rest on (`hanlin.stages.study`).
"""

from __future__ import annotations

import itertools
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanlin.config import GenerateConfig, SamplingConfig
from hanlin.evaluation import (
    NgramScorer,
    Scorer,
    better_than_spread,
    distance_to_human,
    measure_likeness,
    spread_of,
)
from hanlin.generation import Engine
from hanlin.models import forward_flops_per_token, load_release, propose_sampling
from hanlin.records import LedgerEntry, atomic_directory
from hanlin.stages.baseline import prepare_ngram
from hanlin.stages.context import StageContext, StageResult
from hanlin.stages.passages import (
    Passages,
    PassageSource,
    continue_passages,
    take_passages,
    too_short,
)
from hanlin.stages.study import study_context
from hanlin.text import Split
from hanlin.training import choose_placement, join_world

__all__ = ["run_generate"]

_SPEED_TRIES = 3
_SHOWN = 4
_KEYS = ("temperature", "top_p", "min_p", "typical_p", "no_repeat_ngram", "repetition_penalty")


def run_generate(context: StageContext) -> StageResult:
    """Choose a way of drawing, compare it, and release the model with it."""
    assert context.start is not None, "the recipe was checked: a generate stage has `from`"
    model = load_release(context.start, device=choose_placement(context.device).device)
    chooser = _Chooser(context, Engine(model, context.tokenizer))
    with join_world() as world:
        figures, claims = world.on_first(chooser.work)
    return StageResult(model=model, figures=figures, claims=claims)


@dataclass
class _Chooser:
    context: StageContext
    engine: Engine
    tokens: int = 0
    """Tokens written so far."""
    seconds: float = 0.0

    @property
    def config(self) -> GenerateConfig:
        return self.context.stage.generate or GenerateConfig()

    @property
    def default(self) -> SamplingConfig:
        """The recipe's own sampling, as long as the texts that are compared."""
        return self.context.recipe.sampling

    def work(self) -> tuple[dict[str, Any], list[LedgerEntry]]:
        """Choose on validation text, compare on test text, and write the release."""
        scorer = self._scorer()
        passages = self._passages("validation")
        tried = [(s, *self._measure(s, passages, scorer, draw=0)) for s in self._grid()]
        chosen, least, _ = min(tried, key=lambda entry: entry[1])
        speed = self._speed(passages, chosen)
        self.context.say(f"Chosen of {len(tried)} samplers: {_say(chosen)} (distance {least:.3f})")
        comparison = self._compare(chosen, scorer)
        samples = self._samples(passages, chosen)
        study = study_context(self.engine.model, passages, self.context.recipe.seed)
        _release(self.context, chosen)
        figures = {
            "sampling": {key: getattr(chosen, key) for key in _KEYS},
            "samplers": [
                {**{key: getattr(s, key) for key in _KEYS}, "distance": d, "by_language": measured}
                for s, d, measured in tried
            ],
            "comparison": comparison,
            "speed": speed,
            **({"study": study} if study else {}),
            "samples": samples,
            "flops": self.tokens * forward_flops_per_token(self.engine.model.config),
        }
        return figures, [self._claim(chosen, comparison)]

    def _grid(self) -> list[SamplingConfig]:
        lists = [getattr(self.config, key) for key in _KEYS]
        found = [
            self.default.model_copy(update=dict(zip(_KEYS, values, strict=True)))
            for values in itertools.product(*lists)
        ]
        return list(dict.fromkeys([self.default, *found]))

    def _measure(
        self, sampling: SamplingConfig, passages: Passages, scorer: Scorer, *, draw: int
    ) -> tuple[float, dict[str, Any]]:
        """Return a sampler's distance to human text, and what it consists of by language."""
        seed = self.context.recipe.seed + 1000 * draw
        length = max(len(p.ids) for group in passages.values() for p in group)
        wanted = sampling.model_copy(update={"seed": seed, "max_tokens": length, "stop": ()})
        began = time.monotonic()
        written = continue_passages(self.engine, passages, wanted)
        self.seconds += time.monotonic() - began
        self.tokens += sum(len(c.ids) for group in written.values() for c in group)
        human = {name: measure_likeness(group, name, scorer) for name, group in passages.items()}
        found = {name: measure_likeness(group, name, scorer) for name, group in written.items()}
        described = {
            name: {"samples": found[name].as_dict(), "human": human[name].as_dict()}
            for name in passages
        }
        return distance_to_human(found, human), described

    def _compare(self, chosen: SamplingConfig, scorer: Scorer) -> dict[str, Any]:
        """Set the winner beside the recipe's sampling on prompts that it was not chosen on."""
        passages = self._passages("test")
        draws = range(1, self.config.draws + 1)
        return {
            name: [self._measure(sampling, passages, scorer, draw=draw)[0] for draw in draws]
            for name, sampling in (("chosen", chosen), ("default", self.default))
        }

    def _claim(self, chosen: SamplingConfig, comparison: dict[str, Any]) -> LedgerEntry:
        values, control = tuple(comparison["chosen"]), tuple(comparison["default"])
        rule = better_than_spread()
        return LedgerEntry(
            claim="The chosen sampling writes more like people than the recipe's own, on prompts "
            "that it was not chosen on",
            metric="comparison.chosen",
            control=f"the recipe's own sampling ({_say(self.default)})",
            control_values=control,
            values=values,
            seeds=tuple(self.context.recipe.seed + 1000 * n for n in range(1, len(values) + 1)),
            spread=spread_of(values, control),
            threshold=str(rule),
            # Where the recipe's own sampling was chosen there are no two things to compare.
            verdict="not tested" if chosen == self.default else rule.judge(values, control),
        )

    def _speed(self, passages: Passages, chosen: SamplingConfig) -> dict[str, float]:
        """Return how fast one text comes, and many at once."""
        prompt = next(iter(passages.values()))[0].prompt
        many = self.tokens / max(self.seconds, 1e-9)
        one = chosen.model_copy(update={"max_tokens": 1, "seed": 1})
        first = [self._timed(prompt, one)[1] for _ in range(_SPEED_TRIES)]
        whole = chosen.model_copy(update={"max_tokens": self.config.max_tokens, "seed": 1})
        runs = [self._timed(prompt, whole) for _ in range(_SPEED_TRIES)]
        return {
            "seconds_to_first_token": statistics.median(first),
            "tokens_per_second": statistics.median(n / max(s, 1e-9) for n, s in runs),
            "tokens_per_second_batched": many,
            "texts_in_a_batch": float(sum(len(group) for group in passages.values())),
        }

    def _timed(self, prompt: Any, sampling: SamplingConfig) -> tuple[int, float]:
        began = time.perf_counter()
        done = self.engine.generate([self.engine.tokenizer.eot_id, *prompt], sampling)
        return len(done.ids), time.perf_counter() - began

    def _samples(self, passages: Passages, chosen: SamplingConfig) -> list[dict[str, str]]:
        few = {language: group[:_SHOWN] for language, group in passages.items()}
        sampling = chosen.model_copy(update={"seed": self.context.recipe.seed})
        written = continue_passages(self.engine, few, sampling)
        decode = self.engine.tokenizer.decode
        return [
            {"language": language, "prompt": decode(list(c.prompt)), "text": c.text}
            for language, group in written.items()
            for c in group
        ]

    def _scorer(self) -> Scorer:
        ngram = prepare_ngram(self.context)
        assert ngram is not None, "the recipe was checked: a generate stage has a baseline"
        return NgramScorer(ngram)

    def _passages(self, split: Split) -> Passages:
        context, config = self.context, self.config
        source = PassageSource(context.corpus, context.parts, context.tokenizer)
        found = take_passages(
            source,
            split,
            prompts=config.prompts,
            prompt_tokens=config.prompt_tokens,
            max_tokens=config.max_tokens,
            room=self.engine.model.config.context_length,
        )
        if not found:
            raise too_short(source, context.stage.name, split)
        return found


def _release(context: StageContext, sampling: SamplingConfig) -> None:
    """Write the release: the one that the stage starts from, with another proposal."""
    assert context.start is not None
    with atomic_directory(context.folder / "model") as temporary:
        shutil.copytree(context.start, temporary, dirs_exist_ok=True)
        propose_sampling(Path(temporary), sampling)


def _say(sampling: SamplingConfig) -> str:
    return ", ".join(f"{key} {getattr(sampling, key):g}" for key in _KEYS)
