"""A recipe becomes a run: made once, gone on with, added to, and refused when changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import hanlin
from hanlin.errors import DataError, RecipeError, RunError, UserError
from hanlin.records import hold_folder, read_jsonl


def _result(run: Path, stage: str = "1-base") -> dict[str, object]:
    result: dict[str, object] = json.loads((run / "stages" / stage / "result.json").read_text())
    return result


def test_a_run_leaves_everything_that_the_design_names(tiny_run: Path) -> None:
    for name in (
        "recipe.toml",
        "corpus/manifest.json",
        "tokenizer/tokenizer.json",
        "stages/1-base/model/model.safetensors",
        "model/config.json",
        "model/tokenizer.json",
        "model/chat_template.jinja",
        "events.jsonl",
        "metrics.jsonl",
        "report.html",
        "report.md",
        "report.zh.html",
        "report.zh.md",
    ):
        assert (tiny_run / name).is_file(), name


def test_a_result_measures_the_model_beside_its_baselines(tiny_run: Path) -> None:
    evaluation = _result(tiny_run)["evaluation"]
    assert isinstance(evaluation, dict)
    for scorer in ("test", "ngram", "uniform"):
        for language in ("zh", "en"):
            assert evaluation[scorer][language]["bits_per_byte"] > 0
    assert evaluation["test"]["en"] != evaluation["uniform"]["en"]


def test_metrics_hold_training_evaluation_and_samples(tiny_run: Path) -> None:
    kinds = {record["kind"] for record in read_jsonl(tiny_run / "metrics.jsonl")}
    assert kinds == {"train", "evaluation", "sample"}


def test_a_finished_run_is_not_trained_again(tiny_run: Path, tiny_recipe: Path) -> None:
    before = (tiny_run / "model" / "model.safetensors").stat()
    hanlin.run(tiny_recipe, folder=tiny_run, quiet=True)
    after = (tiny_run / "model" / "model.safetensors").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_changed_setting_under_a_finished_stage_is_refused_by_name(
    tiny_run: Path, tiny_recipe: Path
) -> None:
    with pytest.raises(RunError, match=r"model\.num_layers: 1 before, 2 now"):
        hanlin.run(tiny_recipe, folder=tiny_run, overrides=["model.num_layers=2"], quiet=True)


def test_a_second_process_is_refused(tiny_run: Path, tiny_recipe: Path) -> None:
    import subprocess
    import sys

    with hold_folder(tiny_run):
        done = subprocess.run(
            [sys.executable, "-m", "hanlin", "run", str(tiny_recipe), "--run", str(tiny_run)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "is in use by another process" in done.stderr


def _recipe_over(folder: Path, tiny: str, *, stages: str = "", parts: str = "") -> Path:
    text = tiny.replace('name = "world"\nworld = { stories = 300 }', 'path = "text"')
    text = text.replace("[corpus.cleaning]", f"{parts}\n[corpus.cleaning]\nquality = false")
    path = folder / "recipe.toml"
    path.write_text(text.replace("[evaluation]", f"{stages}\n[evaluation]"), encoding="utf-8")
    return path


def _write_texts(folder: Path, name: str, count: int) -> None:
    from hanlin.config import WorldConfig
    from hanlin.text.world import write_stories

    folder.mkdir(parents=True)
    stories = list(write_stories(WorldConfig(stories=count, seed=len(name))))
    for number, (story, _) in enumerate(stories):
        (folder / f"{name}-{number}.txt").write_text(story, encoding="utf-8")


def test_a_new_part_and_stage_go_on_from_a_finished_run(tmp_path: Path, tiny_text: str) -> None:
    _write_texts(tmp_path / "text", "old", 60)
    _write_texts(tmp_path / "later", "newer", 60)
    run = hanlin.run(_recipe_over(tmp_path, tiny_text), folder=tmp_path / "run", quiet=True)
    first = (run / "stages/1-base/model/model.safetensors").read_bytes()
    stage = (
        '[[stages]]\nname = "more"\nkind = "language"\nfrom = "base"\nparts = ["late"]\n'
        "training = { steps = 2, batch_tokens = 512, sample_every = 0 }\n"
    )
    part = '[[corpus.sources]]\npath = "later"\npart = "late"\n'
    hanlin.run(_recipe_over(tmp_path, tiny_text, stages=stage, parts=part), folder=run, quiet=True)
    assert (run / "stages/1-base/model/model.safetensors").read_bytes() == first
    assert (run / "stages/2-more/model/model.safetensors").read_bytes() != first
    newest = (run / "model/model.safetensors").read_bytes()
    assert newest == (run / "stages/2-more/model/model.safetensors").read_bytes()


def test_a_corpus_that_changed_under_a_stage_is_refused(tmp_path: Path, tiny_text: str) -> None:
    _write_texts(tmp_path / "text", "old", 60)
    recipe = _recipe_over(tmp_path, tiny_text)
    run = hanlin.run(recipe, folder=tmp_path / "run", quiet=True)
    changed = tmp_path / "text" / "old-3.txt"
    changed.write_text(changed.read_text(encoding="utf-8") + "完。", encoding="utf-8")
    with pytest.raises(RunError, match=r"old-3\.txt"):
        hanlin.run(recipe, folder=run, quiet=True)


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("tokenizer.vocab_size=60000", None, "60000|60,000"),
        ("model.context_length=100000", DataError, "context_length"),
        ("corpus.sources.0.path=none", DataError, "none"),
    ],
)
def test_bad_input_is_refused_with_its_name_and_value(
    tmp_path: Path, tiny_text: str, override: str, error: type[Exception] | None, message: str
) -> None:
    _write_texts(tmp_path / "text", "old", 60)
    recipe = _recipe_over(tmp_path, tiny_text)
    training = ("packing=stream", "batch_tokens=100000")
    overrides = [override, *(f"stages.base.training.{setting}" for setting in training)]
    with pytest.raises(error or UserError, match=message):
        hanlin.run(recipe, folder=tmp_path / "run", overrides=overrides, quiet=True)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stages.base.from=nowhere", "neither an earlier stage"),
        ("stages.base.training.batch_tokens=32", "batch_tokens 32, less than one row"),
        ("model.preset=5m", "preset '5m' does not exist"),
        ("tokenizer.path=nowhere", r"nowhere' holds no tokenizer\.json"),
    ],
)
def test_an_impossible_recipe_is_refused_before_anything_is_written(
    tiny_recipe: Path, tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        hanlin.run(tiny_recipe, folder=tmp_path / "run", overrides=[override], quiet=True)
    assert not (tmp_path / "run").exists()


def test_an_unknown_last_stage_is_refused(tiny_recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such stage"):
        hanlin.run(tiny_recipe, folder=tmp_path / "run", until="final", quiet=True)
