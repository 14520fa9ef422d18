"""A run grows: a part and stages are added to the recipe, and nothing starts over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import hanlin
from hanlin.config import WorldConfig
from hanlin.errors import DataError, RecipeError, RunError
from hanlin.records import read_jsonl
from hanlin.text.world import write_stories

_TRUNK = '{ kind = "constant", warmup_share = 0.1 }'
_DECAY = '{ kind = "wsd", warmup_share = 0.0, decay_share = 1.0, final_share = 0.0 }'
_AUGMENT = "augment = { reverse = 0.1, permute = 0.1, infill = 0.2, until = 0.5 }\n"
_LATE_PART = '[[corpus.sources]]\npath = "late"\npart = "late"\n'


def _stage(name: str, start: str, schedule: str, *, parts: str = "main", extra: str = "") -> str:
    return (
        f'[[stages]]\nname = "{name}"\nkind = "language"\nfrom = "{start}"\nparts = ["{parts}"]\n'
        f"{extra}training = {{ steps = 4, batch_tokens = 512, sample_every = 0, eval_tokens = 300, "
        f"schedule = {schedule}, inherit_optimizer = {'true' if start else 'false'}, "
        "checkpoint = { every_steps = 2 } }\n"
    )


_FIRST = _stage("trunk", "", _TRUNK, extra=_AUGMENT) + _stage("release", "trunk", _DECAY)
_REPLAY = 'replay = { share = 0.25, parts = ["main"] }\n'
_LATER = _stage("trunk2", "trunk", _TRUNK, parts="late", extra=_REPLAY)


def _recipe(folder: Path, tiny: str, stages: str, parts: str = "") -> Path:
    text = tiny.replace('name = "world"\nworld = { stories = 300 }', 'path = "text"')
    text = text.replace("[corpus.cleaning]", f"{parts}\n[corpus.cleaning]\nquality = false")
    head, _ = text.split("[[stages]]")
    tail = "[evaluation]\nngram_order = 0\ntest_tokens = 300\nsamples = 0\n"
    (folder / "recipe.toml").write_text(f"{head}{stages}\n{tail}", encoding="utf-8")
    return folder / "recipe.toml"


def _write_texts(folder: Path, count: int, seed: int) -> None:
    folder.mkdir(parents=True)
    for number, (story, _) in enumerate(write_stories(WorldConfig(stories=count, seed=seed))):
        (folder / f"{number}.txt").write_text(story, encoding="utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Path:
    """Return a folder with a recipe, its texts, and a finished run of a trunk and a branch."""
    folder = tmp_path_factory.mktemp("growing")
    place = folder / "place"
    _write_texts(place / "text", 60, seed=1)
    hanlin.run(_recipe(place, tiny_text, _FIRST), folder=place / "run", quiet=True)
    shutil.copytree(place, folder / "finished")
    return folder / "finished"


@pytest.fixture
def grown(finished: Path) -> Path:
    """Return the finished folder anew, where it was made, since a run knows its sources by path."""
    place = finished.parent / "place"
    shutil.rmtree(place)
    shutil.copytree(finished, place)
    return place


def _weights(run: Path, stage: str) -> bytes:
    return (run / "stages" / stage / "model" / "model.safetensors").read_bytes()


def _result(run: Path, stage: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((run / "stages" / stage / "result.json").read_text())
    return result


def test_a_part_is_added_by_one_command_and_nothing_starts_over(
    grown: Path, tiny_text: str
) -> None:
    run = grown / "run"
    before = {stage: _weights(run, stage) for stage in ("1-trunk", "2-release")}
    _write_texts(grown / "late", 40, seed=2)
    stages = _FIRST + _LATER + _stage("release2", "trunk2", _DECAY, parts="late")
    hanlin.run(_recipe(grown, tiny_text, stages, _LATE_PART), folder=run, quiet=True)
    for stage, weights in before.items():
        assert _weights(run, stage) == weights
    assert (run / "model/model.safetensors").read_bytes() == _weights(run, "4-release2")


def test_what_is_replayed_is_watched_and_its_forgetting_is_told(
    grown: Path, tiny_text: str
) -> None:
    _write_texts(grown / "late", 40, seed=2)
    run = grown / "run"
    hanlin.run(_recipe(grown, tiny_text, _FIRST + _LATER, _LATE_PART), folder=run, quiet=True)
    evaluations = [
        record["evaluation"]
        for record in read_jsonl(run / "metrics.jsonl")
        if record["kind"] == "evaluation" and record["stage"] == "trunk2"
    ]
    assert evaluations
    for found in evaluations:
        marked = [name for name in found if name.endswith(", replay main")]
        assert marked and set(found) - set(marked) <= {"zh", "en"}
    replayed = _result(run, "3-trunk2")["replay"]["main"]
    assert replayed
    for figures in replayed.values():
        ratio = figures["bits_per_byte"] / figures["bits_per_byte_before"]
        assert figures["forgotten"] == pytest.approx(ratio - 1)


def test_a_killed_augmented_stage_ends_in_the_same_weights(grown: Path, tiny_text: str) -> None:
    run = grown / "run"
    stage = run / "stages" / "1-trunk"
    whole = _weights(run, "1-trunk")
    shutil.rmtree(stage / "checkpoints" / "step-00000004")
    shutil.rmtree(stage / "model")
    shutil.rmtree(stage / "augmented" / "infill")
    (stage / "result.json").unlink()
    hanlin.run(_recipe(grown, tiny_text, _FIRST), folder=run, until="trunk", quiet=True)
    assert _weights(run, "1-trunk") == whole


def test_a_release_says_what_it_learnt_and_hands_it_on(finished: Path) -> None:
    for stage in ("1-trunk", "2-release"):
        folder = finished / "run" / "stages" / stage / "model"
        settings = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
        assert settings["hanlin"] == {"learnt": ["reverse", "permute", "infill"]}


def test_transformers_pass_over_what_a_release_learnt(finished: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = finished / "run" / "model"
    assert transformers.GenerationConfig.from_pretrained(folder).eos_token_id == [0, 2]


def test_an_empty_new_part_is_refused_before_any_stage(grown: Path, tiny_text: str) -> None:
    (grown / "late").mkdir()
    (grown / "late" / "short.txt").write_text("短。", encoding="utf-8")
    recipe = _recipe(grown, tiny_text, _FIRST + _LATER, _LATE_PART)
    with pytest.raises(DataError, match="late"):
        hanlin.run(recipe, folder=grown / "run", quiet=True)
    assert not (grown / "run/stages/3-trunk2").exists()


def test_an_old_part_that_changed_is_refused_though_a_new_one_comes(
    grown: Path, tiny_text: str
) -> None:
    _write_texts(grown / "late", 40, seed=2)
    (grown / "text" / "3.txt").write_text("小猫在公园里看见一只小狗，很高兴。", encoding="utf-8")
    recipe = _recipe(grown, tiny_text, _FIRST + _LATER, _LATE_PART)
    with pytest.raises(RunError, match=r"text: 3\.txt changed"):
        hanlin.run(recipe, folder=grown / "run", quiet=True)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (_LATER.replace('["main"]', '["mian"]'), "'mian', which is no part of the corpus"),
        (_LATER.replace('parts = ["main"] }', 'parts = ["late"] }'), "is read by this stage"),
        (
            _stage("early", "trunk", _TRUNK, extra=_REPLAY.replace('"main"', '"late"')) + _LATER,
            "'late', which was read by no earlier stage",
        ),
        (_LATER.replace('from = "trunk"', 'from = ""'), "is no earlier stage of this recipe"),
        (
            _LATER.replace("steps = 4", 'steps = 4, optimizer = { kind = "adamw" }'),
            "'trunk' learnt with 'muon' and this stage does with 'adamw'",
        ),
    ],
)
def test_impossible_replay_and_inheritance_are_refused_before_anything_is_written(
    tmp_path: Path, tiny_text: str, stages: str, message: str
) -> None:
    recipe = _recipe(tmp_path, tiny_text, _FIRST + stages, _LATE_PART)
    with pytest.raises(RecipeError, match=message):
        hanlin.run(recipe, folder=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
