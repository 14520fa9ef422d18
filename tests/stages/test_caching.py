"""Soft targets on disk: the student learns from them what it would have from the teachers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hanlin
import hanlin.runs.run as running
from hanlin.config import DistilConfig, ModelConfig, load_recipe, with_absolute_paths
from hanlin.data import RowStore
from hanlin.errors import RecipeError, StoppedError
from hanlin.models import build_model, resolve_model
from hanlin.records import read_jsonl
from hanlin.runs.console import Console
from hanlin.runs.folder import RunFolder
from hanlin.runs.proofs.base import Arm
from hanlin.runs.proofs.trial import Trial
from hanlin.stages import caching, target_record
from hanlin.training import World, choose_placement
from stage_runs import read_result, run_recipe, with_stages, write_recipe

TEACHER = """
[[stages]]
name = "teacher"
kind = "distil"
model = { hidden_size = 16, num_heads = 2, num_layers = 1, context_length = 64 }
distil = { confidence = 0.01 }
training = { steps = 2, batch_tokens = 256, eval_tokens = 200, sample_every = 0 }
"""
STUDENT = """
[[stages]]
name = "student"
kind = "distil"
teachers = ["base", "teacher"]
model = { hidden_size = 16, num_heads = 2, num_layers = 2, context_length = 64 }
distil = { soft = 0.5, temperature = 2.0, until_share = 0.75, cache_top_k = 16 }
[stages.training]
steps = 8
batch_tokens = 256
log_every = 1
eval_tokens = 200
sample_every = 0
checkpoint = { every_steps = 4 }
"""
PLACE = "stages/3-student"


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory, tiny_run: Path, tiny_text: str) -> Path:
    """Return a recipe beside its run, whose student learnt from two teachers' cached targets."""
    recipe = with_stages(tiny_run, tiny_text, tmp_path_factory.mktemp("caching"), TEACHER, STUDENT)
    run_recipe(recipe)
    return recipe


def _again(cached: Path, folder: Path, **changes: str) -> tuple[Path, Path]:
    """Return a copy of the recipe, changed, and of its run without what the student came to."""
    text = cached.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    recipe = folder / "recipe.toml"
    recipe.write_text(text, encoding="utf-8")
    shutil.copytree(cached.parent / "run", folder / "run")
    shutil.rmtree(folder / "run" / PLACE)
    return recipe, folder / "run"


def _weights(run: Path) -> bytes:
    return (run / PLACE / "model/model.safetensors").read_bytes()


def _lines(run: Path) -> list[dict[str, Any]]:
    lines = read_jsonl(run / "metrics.jsonl")
    return [line for line in lines if line["stage"] == "student" and line["kind"] == "train"]


def _folder(run: Path) -> Path:
    (folder,) = (run / "teacher-cache").iterdir()
    return folder


def _no_teacher(*arguments: object, **options: object) -> None:
    raise AssertionError("a teacher was asked")


def test_all_that_the_student_was_taught_on_is_on_disk(cached):
    run = cached.parent / "run"
    told = read_result(run, "3-student")["teacher_cache"]
    assert told == {"rows": 24, "bytes": 24 * 64 * 68, "bytes_per_token": 68}
    assert _folder(run).joinpath("index.json").is_file()
    assert "soft" in _lines(run)[5]
    assert "soft" not in _lines(run)[6]
    assert read_result(run, "3-student")["teacher_tokens"] == 2 * 6 * 256


def test_with_every_token_kept_it_is_what_live_teachers_teach(cached, tmp_path):
    runs = {}
    for name, keep in {"all": "cache_top_k = 600", "live": "cache_top_k = 0"}.items():
        (tmp_path / name).mkdir()
        recipe, runs[name] = _again(cached, tmp_path / name, **{"cache_top_k = 16": keep})
        run_recipe(recipe)
    for kept, live in zip(_lines(runs["all"]), _lines(runs["live"]), strict=True):
        assert kept["loss"] == pytest.approx(live["loss"], rel=1e-3)
        assert kept.keys() == live.keys()
        if "soft" in live:
            assert kept["soft"] == pytest.approx(live["soft"], rel=1e-2, abs=1e-3)


def test_a_stage_stopped_in_the_middle_goes_on_bit_for_bit(cached, tmp_path, monkeypatch):
    recipe, run = _again(cached, tmp_path)
    whole = running.StageContext
    monkeypatch.setattr(running, "StageContext", lambda **given: whole(**given, halt=3))
    with pytest.raises(StoppedError):
        run_recipe(recipe)
    monkeypatch.undo()
    monkeypatch.setattr(caching, "judge_rows", _no_teacher)  # what was judged is not asked again
    run_recipe(recipe)
    assert _weights(run) == _weights(cached.parent / "run")


def test_judging_that_was_killed_goes_on_with_the_rows_that_are_left(cached, tmp_path, monkeypatch):
    recipe, run = _again(cached, tmp_path)
    shutil.rmtree(run / "teacher-cache")
    monkeypatch.setattr(caching, "_BLOCK_BYTES", 5 * 64 * 68)  # five rows
    judged, whole = [], caching.judge_rows

    def killed(teachers, batch, **options):
        judged.append(len(batch))
        if len(judged) == 3:
            raise KeyboardInterrupt
        return whole(teachers, batch, **options)

    monkeypatch.setattr(caching, "judge_rows", killed)
    with pytest.raises(KeyboardInterrupt):
        run_recipe(recipe)
    assert len(list(_folder(run).glob("*.npy"))) == 2
    run_recipe(recipe)
    assert len(list(_folder(run).glob("*.npy"))) == 5
    assert _weights(run) == _weights(cached.parent / "run")


def test_a_truncated_block_is_noticed_and_judged_again(cached, tmp_path, capsys):
    recipe, run = _again(cached, tmp_path)
    (block,) = _folder(run).glob("*.npy")
    block.write_bytes(block.read_bytes()[:-10])
    hanlin.run(recipe, folder=run)
    told = capsys.readouterr()
    assert "bytes in place of" in told.out + told.err
    assert _weights(run) == _weights(cached.parent / "run")


def test_a_run_that_names_the_same_folder_asks_no_teacher(cached, tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    shutil.copytree(cached.parent / "run/teacher-cache", shared)
    keep = f'cache_top_k = 16, cache_folder = "{shared}"'
    recipe, run = _again(
        cached,
        tmp_path,
        **{
            "cache_top_k = 16": keep,
            "steps = 8\nbatch_tokens = 256": "steps = 6\nbatch_tokens = 256",
            "0.75": "1.0",
        },
    )
    shutil.rmtree(run / "teacher-cache")
    monkeypatch.setattr(caching, "judge_rows", _no_teacher)
    run_recipe(recipe)  # other settings, the same rows of the same order
    assert not (run / "teacher-cache").exists()
    assert read_result(run, "3-student")["teacher_cache"]["rows"] == 24


def test_other_settings_of_the_targets_lie_in_another_folder(cached, tmp_path):
    recipe, run = _again(cached, tmp_path, **{"temperature = 2.0": "temperature = 1.0"})
    run_recipe(recipe)
    assert len(list((run / "teacher-cache").iterdir())) == 2


def test_a_trial_of_a_proof_reads_what_the_run_has_kept(cached, tmp_path, monkeypatch):
    folder = RunFolder(_again(cached, tmp_path)[1])
    recipe = with_absolute_paths(load_recipe(folder.recipe), folder.root)
    arm = Arm(name="recipe", stages=recipe.stages[-1:], rates=(1.0, 2.0))
    trial = Trial(folder, recipe, recipe.stages[-1], arm, seed=recipe.seed, rate=2.0)
    monkeypatch.setattr(caching, "judge_rows", _no_teacher)
    running.run_prepared(
        trial.as_recipe(),
        trial.folder,
        device="auto",
        console=Console(quiet=True),
        world=World(),
    )
    assert trial.measured().figures["teacher_cache"]["rows"] == 24


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cache_top_k = 16", "cache_top_k = 16, hint = 0.1", "runs; set hint = 0 or cache_top_k"),
        ("cache_top_k = 16", "cache_top_k = 16, on_policy = 0.5", "on_policy = 0.5 needs a teach"),
        ("cache_top_k = 16", "cache_folder = 'here'", "cache_folder needs cache_top_k"),
        ("cache_top_k = 16", "cache_top_k = 601", "has 600 entries. Set it to 64"),
        ("soft = 0.5", "soft = 0.0", "soft = 0 takes none"),
        ('teachers = ["base", "teacher"]', "", "distil.cache_top_k = 16 and no `teachers`"),
        ("[stages.training]", "augment = { reverse = 0.1 }\n[stages.training]", "table `augment`"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_any_work(tmp_path, tiny_text, old, new, message):
    assert old in STUDENT
    recipe = write_recipe(tmp_path, tiny_text, TEACHER, STUDENT.replace(old, new))
    with pytest.raises(RecipeError, match=message):
        run_recipe(recipe)
    assert not (tmp_path / "run" / "corpus").exists()


def test_processes_share_the_rows_and_write_what_one_would(tmp_path, monkeypatch):
    shape = ModelConfig(hidden_size=16, num_heads=2, num_layers=1, zero_init=False)
    teacher = build_model(resolve_model(shape, 64), seed=1)
    config, record = DistilConfig(cache_top_k=8), target_record(12, 8, 64)
    rows = np.random.default_rng(0).integers(0, 64, (11, 13)).astype(np.int32)
    monkeypatch.setattr(caching, "_PASS_TOKENS", 48)  # four rows
    found = []
    for size in (1, 2):
        folder = tmp_path / str(size)
        RowStore.prepare(folder, {}, record, pytest.fail)
        for rank in range(size):
            caching._judge(
                rows,
                RowStore.open(folder, record),
                [teacher],
                config,
                choose_placement("cpu", "fp32"),
                World(rank, size),
                print,
            )
        found.append(RowStore.open(folder, record).find(rows))
    assert found[0].tobytes() == found[1].tobytes()
