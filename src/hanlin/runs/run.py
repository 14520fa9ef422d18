"""A recipe made real: corpus, tokenizer, shards, then stage after stage, each finished once.

A stage is finished when its result.json stands. The hash of everything that it was made from stands
in there too; the same recipe finds it and goes on, a recipe that would have made another model is
refused, with the difference named.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hanlin.config import Recipe, StageConfig, TaskStageConfig, TrainingConfig, dump_recipe
from hanlin.errors import RecipeError, RunError
from hanlin.planning import describe_machine
from hanlin.records import hold_folder, sha256_file, sha256_json, write_json, write_text
from hanlin.runs.assess import assess
from hanlin.runs.checks import check_languages, check_prompts, check_recipe
from hanlin.runs.console import Console
from hanlin.runs.folder import RunFolder
from hanlin.runs.measured import record_claims
from hanlin.runs.prepare import prepare_corpus, prepare_shards, prepare_tokenizer
from hanlin.runs.publish import publish_release
from hanlin.runs.report import write_report
from hanlin.stages import StageContext, StageResult, run_stage
from hanlin.text import Manifest, load_manifest
from hanlin.tokenizers import Tokenizer, load_tokenizer
from hanlin.training import Quiet, World, choose_display, join_world

__all__ = ["require_finished", "run_prepared", "run_recipe"]

_NO_WEIGHT = {
    *("checkpoint", "log_every", "eval_every", "eval_tokens", "sample_every"),
    *("microbatch", "compile", "max_skipped"),
    "inherit_optimizer",  # named below, and only where it is set
}
"""Settings of training that change what is said and saved, or a weight's last bits at most."""
_SETTINGS = {"augment", "replay", "distil", "language", "task", "expand", "generate", "checkpoint"}
"""The tables of a stage that its release follows from."""
_PLACES = {"task": {"tasks": {"__all__": {"path", "file"}}}}
"""Where files lie, which may move: their content counts."""


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
    recipe = _with_absolute_paths(recipe, base)
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
    recipe = _with_absolute_paths(recipe, base)
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
        """Prepare, then run the stages that are not finished."""
        self.world.on_first(self._prepare)
        self.work_prepared(stages)
        self.world.on_first(self._conclude)

    def work_prepared(self, stages: tuple[StageConfig, ...]) -> None:
        """Run the stages that are not finished, over a corpus that is there."""
        tokenizer = load_tokenizer(self.folder.tokenizer)
        manifest = load_manifest(self.folder.corpus)
        for number, stage in enumerate(stages, start=1):
            inputs = self.inputs(stage, tokenizer, manifest)
            if self.world.on_first(partial(self._is_finished, number, stage, inputs)):
                self.console.say(f"Stage {stage.name}: finished before, nothing to do")
                continue
            self._stage(number, stage, tokenizer, inputs)

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
        training = stage.training
        learning = _describe_learning(training) if training else {}
        parts = [*self.recipe.parts_of(stage), *(stage.replay.parts if stage.replay else ())]
        content = {part: manifest.parts[part].content for part in parts}
        weights = {s.label: s.weight for s in self.recipe.corpus.sources if s.part in content}
        start = self._release_of(stage.from_)
        return {
            "seed": self.recipe.seed,
            "kind": stage.kind,
            "model": _describe_model(self.recipe, stage),
            "learning": learning,
            "settings": stage.model_dump(
                mode="json", include=_SETTINGS, exclude=_PLACES, exclude_none=True
            ),
            "corpus": content,
            "weights": weights,
            "tokenizer": tokenizer.fingerprint,
            "from": _fingerprint_of_release(start) if start else "",
            **({"inherits": "optimizer"} if training and training.inherit_optimizer else {}),
            "teachers": [_fingerprint_of_release(self._teacher(name)) for name in stage.teachers],
            **({"examples": _fingerprint_examples(stage.task)} if stage.task else {}),
        }

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
        differences = _differences(old, new)
        if differences:
            listed = "\n".join(f"  {line}" for line in differences)
            raise RunError(
                f"The stage {stage.name!r} of {self.folder.root} was made from other settings:\n"
                f"{listed}\nPut them back, add a new stage, or start a new run with --run."
            )


def _describe_model(recipe: Recipe, stage: StageConfig) -> dict[str, Any]:
    """Return the shape as it is asked for; what a grown one leaves out follows from its start."""
    asked = stage.model or recipe.model
    return asked.model_dump(mode="json", exclude_unset=bool(stage.model and stage.from_))


def _stages_until(recipe: Recipe, until: str) -> tuple[StageConfig, ...]:
    names = [stage.name for stage in recipe.stages]
    if until and until not in names:
        raise RecipeError(f"--until {until!r}: the recipe has no such stage; it has {names}.")
    return recipe.stages[: names.index(until) + 1] if until else recipe.stages


def _with_absolute_paths(recipe: Recipe, base: Path) -> Recipe:
    """Return the recipe as it reads from any folder, so that the run's own copy can be run."""

    def absolute(path: str) -> str:
        return str((base / path).absolute()) if path else ""

    names = {stage.name for stage in recipe.stages}
    sources = tuple(
        source.model_copy(update={"path": absolute(source.path)})
        for source in recipe.corpus.sources
    )

    def placed(name: str) -> str:
        return name if name in names else absolute(name)

    stages = tuple(
        stage.model_copy(
            update={
                "from_": placed(stage.from_),
                "teachers": tuple(placed(name) for name in stage.teachers),
                "task": _place_examples(stage.task, absolute) if stage.task else None,
            }
        )
        for stage in recipe.stages
    )
    tokenizer = recipe.tokenizer.model_copy(update={"path": absolute(recipe.tokenizer.path)})
    corpus = recipe.corpus.model_copy(update={"sources": sources})
    return recipe.model_copy(update={"corpus": corpus, "stages": stages, "tokenizer": tokenizer})


def _place_examples(task: TaskStageConfig, absolute: Callable[[str], str]) -> TaskStageConfig:
    """Return a task stage's table with absolute paths."""
    tasks = tuple(
        one.model_copy(update={"path": absolute(one.path), "file": absolute(one.file)})
        for one in task.tasks
    )
    return task.model_copy(update={"tasks": tasks})


def _fingerprint_examples(task: TaskStageConfig) -> dict[str, list[str]]:
    """Return the hashes of each task's files."""
    return {
        one.name: [sha256_file(Path(path)) for path in (one.path, one.file) if path]
        for one in task.tasks
    }


def _read_result(place: Path) -> dict[str, Any] | None:
    path = place / "result.json"
    if not path.exists():
        return None
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def _describe_learning(training: TrainingConfig) -> dict[str, Any]:
    """Return the settings of training that weights follow from, as JSON values."""
    judged = {"eval_every", "eval_tokens"} if training.until is not None else set()
    return training.model_dump(mode="json", exclude=_NO_WEIGHT - judged, exclude_none=True)


def _fingerprint_of_release(folder: Path) -> str:
    path = folder / "model.safetensors"
    core = sha256_file(path) if path.exists() else str(folder)
    beside = sorted(file for file in folder.glob("expansions/**/*") if file.suffix != ".md")
    return sha256_json([core, *map(sha256_file, filter(Path.is_file, beside))]) if beside else core


def _differences(old: Any, new: Any, key: str = "") -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = list(dict.fromkeys([*old, *new]))
        inner = (_differences(old.get(n), new.get(n), f"{key}.{n}".strip(".")) for n in names)
        return [line for lines in inner for line in lines]
    return [] if old == new else [f"{key}: {old!r} before, {new!r} now"]
