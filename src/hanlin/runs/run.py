"""A recipe made real: corpus, tokenizer, shards, then stage after stage, each finished once.

A stage is finished when its result.json stands. The hash of everything that it was made from stands
in there too; the same recipe finds it and goes on, a recipe that would have made another model is
refused, with the difference named.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hanlin.config import Recipe, StageConfig, dump_recipe, with_absolute_paths
from hanlin.errors import RecipeError, RunError
from hanlin.planning import describe_machine
from hanlin.records import hold_folder, write_json, write_text
from hanlin.runs.assess import assess
from hanlin.runs.checks import check_languages, check_prompts, check_recipe
from hanlin.runs.console import Console, Laps
from hanlin.runs.folder import RunFolder
from hanlin.runs.inputs import describe_inputs, list_differences
from hanlin.runs.measured import record_claims
from hanlin.runs.prepare import prepare_corpus, prepare_shards, prepare_tokenizer
from hanlin.runs.publish import publish_release
from hanlin.runs.report import write_report
from hanlin.stages import StageContext, StageResult, run_stage
from hanlin.text import Manifest, load_manifest
from hanlin.tokenizers import Tokenizer, load_tokenizer
from hanlin.training import Quiet, World, choose_display, join_world

__all__ = ["require_finished", "run_prepared", "run_recipe"]


def run_recipe(
    recipe: Recipe,
    folder: RunFolder,
    *,
    base: Path,
    until: str = "",
    device: str = "auto",
    console: Console,
) -> None:
    """Start a run or go on with it, up to and with the stage `until` (all unless given).

    Under torchrun the first process prepares, measures and publishes; all of them train.

    Raises:
        RecipeError, ModelError: the recipe cannot be carried out; nothing was begun.
        RunError: another process holds the folder, or what a stage was made from has changed.
        StoppedError: a signal came; the state is saved.
    """
    recipe = with_absolute_paths(recipe, base)
    stages = _stages_until(recipe, until)
    check_recipe(recipe)
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(join_world())
        if world.first:
            stack.enter_context(hold_folder(folder.root))
        spoken = console if world.first else Console(quiet=True)
        _Run(recipe, folder, device, spoken, world).work(stages)


def run_prepared(
    recipe: Recipe, folder: RunFolder, *, device: str, console: Console, world: World
) -> None:
    """Run a recipe with absolute paths over the corpus, tokenizer and shards of another run.

    Raises:
        RunError, StoppedError: as `run_recipe`.
    """
    spoken = console if world.first else Console(quiet=True)
    run = _Run(recipe, folder, device, spoken, world)
    world.on_first(lambda: write_text(folder.recipe, dump_recipe(recipe)))
    run.work_prepared(recipe.stages)


def require_finished(recipe: Recipe, folder: RunFolder, *, base: Path, until: str) -> Recipe:
    """Return the recipe with absolute paths if its stages up to `until` are finished in a run.

    Raises:
        RecipeError: there is no such stage.
        RunError: one is not finished, or was made from other settings.
    """
    recipe = with_absolute_paths(recipe, base)
    stages = _stages_until(recipe, until)
    folder.must_exist()
    run = _Run(recipe, folder, "auto", Console(quiet=True), World())
    for number, stage in enumerate(stages, start=1):
        finished = _read_result(folder.stage(number, stage.name))
        if finished is None:
            raise RunError(
                f"The stage {stage.name!r} of {folder.root} is not finished. First give the "
                f"command: hanlin run {folder.recipe} --run {folder.root} --until {until}"
            )
        tokenizer, manifest = load_tokenizer(folder.tokenizer), load_manifest(folder.corpus)
        run.refuse_other_inputs(stage, finished["inputs"], run.inputs(stage, tokenizer, manifest))
    return recipe


@dataclass(frozen=True)
class _Run:
    recipe: Recipe
    folder: RunFolder
    device: str
    console: Console
    world: World

    def work(self, stages: tuple[StageConfig, ...]) -> None:
        """Prepare, then run the stages that are not finished; say in the end what took how long."""
        laps = Laps()
        self.world.on_first(self._prepare)
        laps.end("preparing")
        self.work_prepared(stages, laps)
        self.world.on_first(self._conclude)
        laps.end("report")
        self.console.say(laps.summary())

    def work_prepared(self, stages: tuple[StageConfig, ...], laps: Laps | None = None) -> None:
        """Run the stages that are not finished, over a corpus that is there."""
        tokenizer = load_tokenizer(self.folder.tokenizer)
        manifest = load_manifest(self.folder.corpus)
        for number, stage in enumerate(stages, start=1):
            inputs = self.inputs(stage, tokenizer, manifest)
            if self.world.on_first(partial(self._is_finished, number, stage, inputs)):
                self.console.say(f"Stage {stage.name}: finished before, nothing to do")
                continue
            self.console.say(f"Stage {stage.name} ({stage.kind}), {number} of {len(stages)}")
            self._stage(number, stage, tokenizer, inputs)
            if laps is not None:
                laps.end(stage.name)

    def _prepare(self) -> None:
        self.folder.event("begin", recipe=self.recipe.name, environment=describe_machine())
        self._refuse_missing_stages()
        write_text(self.folder.recipe, dump_recipe(self.recipe))
        prepare_corpus(self.recipe, self.folder, self.console)
        tokenizer = prepare_tokenizer(self.recipe, self.folder, self.console)
        prepare_shards(self.recipe, self.folder, tokenizer, self.console)
        check_languages(self.recipe, load_manifest(self.folder.corpus))
        check_prompts(self.recipe, self.folder.corpus, tokenizer)

    def _stage(
        self, number: int, stage: StageConfig, tokenizer: Tokenizer, inputs: dict[str, Any]
    ) -> None:
        place = self.folder.stage(number, stage.name)
        context = StageContext(
            recipe=self.recipe,
            stage=stage,
            folder=place,
            start=self._release_of(stage.from_),
            teachers=[self._teacher(name) for name in stage.teachers],
            corpus=self.folder.corpus,
            parts=self.recipe.parts_of(stage),
            tokenizer=tokenizer,
            metrics=self.folder.metrics,
            events=self.folder.root / "events.jsonl",
            fingerprints=inputs,
            device=self.device,
            say=self.console.say,
            display=Quiet() if self.console.quiet else choose_display(),
        )
        result = run_stage(context)
        self.world.on_first(lambda: self._finish(context, result, inputs))

    def _finish(self, context: StageContext, result: StageResult, inputs: dict[str, Any]) -> None:
        figures = assess(context, result, self.console)
        publish_release(context.folder / "model", self.folder.model)
        record_claims(self.recipe, context.stage, result, figures, inputs, self.folder)
        write_json(context.folder / "result.json", {**figures, "inputs": inputs})
        self.folder.event("stage ends", stage=context.stage.name)

    def _conclude(self) -> None:
        self.folder.event("end")
        write_report(self.folder.root)

    def _is_finished(self, number: int, stage: StageConfig, inputs: Mapping[str, Any]) -> bool:
        finished = _read_result(self.folder.stage(number, stage.name))
        if finished is None:
            self.folder.event("stage begins", stage=stage.name)
            return False
        self.refuse_other_inputs(stage, finished["inputs"], inputs)
        return True

    def inputs(
        self, stage: StageConfig, tokenizer: Tokenizer, manifest: Manifest
    ) -> dict[str, Any]:
        """Everything that a stage's release follows from."""
        return describe_inputs(
            self.recipe,
            stage,
            tokenizer=tokenizer,
            manifest=manifest,
            start=self._release_of(stage.from_),
            teachers=[self._teacher(name) for name in stage.teachers],
        )

    def _teacher(self, name: str) -> Path:
        folder = self._release_of(name)
        assert folder is not None, "a teacher has a name"
        return folder

    def _release_of(self, name: str) -> Path | None:
        """Return the released folder that a stage's `from` or `teachers` names; None for none."""
        if not name:
            return None
        for number, other in enumerate(self.recipe.stages, start=1):
            if other.name == name:
                return self.folder.stage(number, other.name) / "model"
        return Path(name)

    def _refuse_missing_stages(self) -> None:
        for path in sorted(self.folder.root.glob("stages/*/result.json")):
            name = path.parent.name.split("-", 1)[1]
            stage = next((s for s in self.recipe.stages if s.name == name), None)
            if stage is None:
                raise RunError(
                    f"The finished stage {name!r} of {self.folder.root} is missing from the "
                    "recipe. Put it back, or start a new run with --run."
                )

    def refuse_other_inputs(
        self, stage: StageConfig, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> None:
        differences = list_differences(old, new)
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


def _read_result(place: Path) -> dict[str, Any] | None:
    path = place / "result.json"
    if not path.exists():
        return None
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result
