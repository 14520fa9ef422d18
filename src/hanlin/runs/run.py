"""A recipe made real: corpus, tokenizer, shards, then stage after stage, each finished once.

A stage is finished when its result.json stands. The hash of everything that it was made from stands
in there too; the same recipe finds it and goes on, a recipe that would have made another model is
refused, with the difference named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanlin.config import Recipe, StageConfig, dump_recipe
from hanlin.errors import RecipeError, RunError
from hanlin.records import hold_folder, sha256_file, sha256_json, write_json, write_text
from hanlin.runs.assess import assess
from hanlin.runs.console import Console
from hanlin.runs.folder import RunFolder
from hanlin.runs.prepare import prepare_corpus, prepare_shards, prepare_tokenizer
from hanlin.runs.publish import publish_release
from hanlin.runs.report import write_report
from hanlin.stages import StageContext, run_stage
from hanlin.text import Manifest
from hanlin.tokenizers import Tokenizer
from hanlin.training import Quiet, choose_display

__all__ = ["run_recipe"]


def run_recipe(
    recipe: Recipe, folder: RunFolder, *, base: Path, until: str = "", console: Console
) -> None:
    """Start a run or go on with it, up to and with the stage `until` (all unless given).

    Raises:
        RunError: another process holds the folder, or what a stage was made from has changed.
        StoppedError: a signal came; the state is saved.
    """
    stages = _stages_until(recipe, until)
    recipe = _with_absolute_paths(recipe, base)
    with hold_folder(folder.root):
        folder.event("begin", recipe=recipe.name, stages=[stage.name for stage in stages])
        _Run(recipe, folder, base, console).work(stages)
        folder.event("end")


@dataclass(frozen=True)
class _Run:
    recipe: Recipe
    folder: RunFolder
    base: Path
    console: Console

    def work(self, stages: tuple[StageConfig, ...]) -> None:
        """Prepare, then run the stages that are not finished."""
        self._refuse_changed_stages()
        write_text(self.folder.recipe, dump_recipe(self.recipe))
        manifest = prepare_corpus(self.recipe, self.folder, self.base, self.console)
        tokenizer = prepare_tokenizer(self.recipe, self.folder, self.console)
        prepare_shards(self.recipe, self.folder, tokenizer, self.console)
        for number, stage in enumerate(stages, start=1):
            self._stage(number, stage, tokenizer, manifest)
        write_report(self.folder.root)

    def _stage(
        self, number: int, stage: StageConfig, tokenizer: Tokenizer, manifest: Manifest
    ) -> None:
        place = self.folder.stage(number, stage.name)
        inputs = self._inputs(stage, tokenizer, manifest)
        finished = _read_result(place)
        if finished:
            self._refuse_other_inputs(stage, finished["inputs"], inputs)
            self.console.say(f"Stage {stage.name}: finished before, nothing to do")
            return
        self.folder.event("stage begins", stage=stage.name)
        context = StageContext(
            recipe=self.recipe,
            stage=stage,
            folder=place,
            start=self._start_of(stage),
            corpus=self.folder.corpus,
            parts=self.recipe.parts_of(stage),
            tokenizer=tokenizer,
            metrics=self.folder.metrics,
            events=self.folder.root / "events.jsonl",
            fingerprints={name: sha256_json(value) for name, value in inputs.items()},
            say=self.console.say,
            display=Quiet() if self.console.quiet else choose_display(),
        )
        result = run_stage(context)
        figures = assess(context, result, self.folder, self.console)
        publish_release(place / "model", self.folder.model)
        write_json(place / "result.json", {**figures, "inputs": inputs})
        self.folder.event("stage ends", stage=stage.name)

    def _inputs(
        self, stage: StageConfig, tokenizer: Tokenizer, manifest: Manifest
    ) -> dict[str, Any]:
        """Everything that a stage's weights follow from."""
        training = stage.training.model_dump(mode="json")
        training["checkpoint"] = {}  # where and how often the state is saved changes no weight
        parts = {part: manifest.parts[part].content for part in self.recipe.parts_of(stage)}
        weights = {s.label: s.weight for s in self.recipe.corpus.sources if s.part in parts}
        start = self._start_of(stage)
        return {
            "seed": self.recipe.seed,
            "model": self.recipe.model.model_dump(mode="json"),
            "training": training,
            "corpus": parts,
            "weights": weights,
            "tokenizer": tokenizer.fingerprint,
            "from": _fingerprint_of_release(start) if start else "",
        }

    def _start_of(self, stage: StageConfig) -> Path | None:
        if not stage.from_:
            return None
        for number, other in enumerate(self.recipe.stages, start=1):
            if other.name == stage.from_:
                return self.folder.stage(number, other.name) / "model"
        return (self.base / stage.from_).resolve()

    def _refuse_changed_stages(self) -> None:
        for path in sorted(self.folder.root.glob("stages/*/result.json")):
            name = path.parent.name.split("-", 1)[1]
            stage = next((s for s in self.recipe.stages if s.name == name), None)
            if stage is None:
                raise RunError(
                    f"The finished stage {name!r} of {self.folder.root} is missing from the "
                    "recipe. Put it back, or start a new run with --run."
                )

    def _refuse_other_inputs(
        self, stage: StageConfig, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> None:
        differences = _differences(old, new)
        if differences:
            listed = "\n".join(f"  {line}" for line in differences)
            raise RunError(
                f"The stage {stage.name!r} of {self.folder.root} was made from other settings:\n"
                f"{listed}\nPut them back, add a new stage, or start a new run with --run."
            )


def _stages_until(recipe: Recipe, until: str) -> tuple[StageConfig, ...]:
    names = [stage.name for stage in recipe.stages]
    if until and until not in names:
        raise RecipeError(f"--until {until!r}: the recipe has no such stage; it has {names}.")
    return recipe.stages[: names.index(until) + 1] if until else recipe.stages


def _with_absolute_paths(recipe: Recipe, base: Path) -> Recipe:
    """Return the recipe as it reads from any folder, so that the run's own copy can be run."""
    sources = tuple(
        source.model_copy(update={"path": str((base / source.path).absolute())})
        if source.path
        else source
        for source in recipe.corpus.sources
    )
    corpus = recipe.corpus.model_copy(update={"sources": sources})
    return recipe.model_copy(update={"corpus": corpus})


def _read_result(place: Path) -> dict[str, Any] | None:
    path = place / "result.json"
    if not path.exists():
        return None
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def _fingerprint_of_release(folder: Path) -> str:
    path = folder / "model.safetensors"
    return sha256_file(path) if path.exists() else str(folder)


def _differences(old: Any, new: Any, key: str = "") -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = list(dict.fromkeys([*old, *new]))
        inner = (_differences(old.get(n), new.get(n), f"{key}.{n}".strip(".")) for n in names)
        return [line for lines in inner for line in lines]
    return [] if old == new else [f"{key}: {old!r} before, {new!r} now"]
