"""Parent, teacher, student: one run from end to end, resumed as if it had not stopped."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

import hanlin
from hanlin.config import parse_recipe
from hanlin.errors import ModelError, RecipeError, TokenizerError
from hanlin.models import forward_flops_per_token, load_release, read_config
from hanlin.records import read_jsonl
from hanlin.runs.checks import check_recipe
from stage_runs import read_result, run_recipe, with_stages, write_recipe

TRAINING = """
[stages.training]
steps = 8
batch_tokens = 512
log_every = 2
eval_every = 8
sample_every = 0
eval_tokens = 300
checkpoint = { every_steps = 4 }
"""
TEACHER = f"""
[[stages]]
name = "teacher"
kind = "distil"
teachers = ["base"]
model = {{ hidden_size = 16, num_heads = 2, num_layers = 2, context_length = 64 }}
distil = {{ temperature = 2.0, hint = 0.1, disagreement = 0.1, confidence = 0.05 }}
{TRAINING}
"""
STUDENT = f"""
[[stages]]
name = "student"
kind = "distil"
from = "teacher"
teachers = ["teacher", "base"]
model = {{ hidden_size = 32, num_layers = 4 }}
distil = {{ soft = 0.5, hint = 0.2, relation = 0.1, input = 0.5, until_share = 0.75 }}
{TRAINING}
"""


def _write(folder: Path, tiny: str, *stages: str, **changes: str) -> Path:
    for old, new in changes.items():
        tiny = tiny.replace(old, new)
    return write_recipe(folder, tiny, *stages)


@pytest.fixture(scope="module")
def distilled(
    tmp_path_factory: pytest.TempPathFactory, tiny_run: Path, tiny_text: str
) -> tuple[Path, Path]:
    """Return a recipe and its run, begun as the tiny run and gone on with two distil stages."""
    folder = tmp_path_factory.mktemp("distil")
    recipe = with_stages(tiny_run, tiny_text, folder, TEACHER, STUDENT)
    return recipe, run_recipe(recipe)


def _train_lines(run: Path, stage: str) -> list[dict[str, Any]]:
    lines = read_jsonl(run / "metrics.jsonl")
    return [line for line in lines if line["stage"] == stage and line["kind"] == "train"]


def test_each_stage_releases_the_shape_that_was_asked_for(distilled):
    _, run = distilled
    teacher = read_config(run / "stages/2-teacher/model")
    student = read_config(run / "stages/3-student/model")
    assert (teacher.hidden_size, teacher.num_layers, teacher.context_length) == (16, 2, 64)
    assert (student.hidden_size, student.num_layers, student.context_length) == (32, 4, 64)
    assert student.num_heads == 4
    assert hanlin.load(run).decoder.config == student  # the newest release; no bridge is left in it


def test_metrics_hold_the_parts_of_the_loss_while_they_count(distilled):
    _, run = distilled
    lines = _train_lines(run, "student")
    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    for line in lines[:3]:
        assert {"cross_entropy", "soft", "hint", "relation"} <= line.keys()
    assert "cross_entropy" in lines[3]
    assert not {"soft", "hint", "relation"} & lines[3].keys()
    teacher = _train_lines(run, "teacher")[0]
    assert {"cross_entropy", "soft", "hint", "disagreement", "entropy"} <= teacher.keys()


def test_bits_per_byte_are_those_of_the_text_alone(distilled):
    _, run = distilled
    first, last = _train_lines(run, "teacher")[0], _train_lines(run, "student")[3]
    factor = last["bits_per_byte"] / last["cross_entropy"]
    assert first["bits_per_byte"] == pytest.approx(factor * first["cross_entropy"])
    assert first["loss"] != pytest.approx(first["cross_entropy"])


def test_what_teachers_cost_is_counted_while_they_ran(distilled):
    _, run = distilled
    result = read_result(run, "3-student")
    assert result["teacher_tokens"] == 2 * 6 * 512  # two teachers, six of eight steps
    shapes = [read_config(run / f"stages/{name}/model") for name in ("2-teacher", "1-base")]
    expected = sum(6 * 512 * forward_flops_per_token(shape, 64) for shape in shapes)
    assert result["extra_flops"] == expected
    assert result["flops"] > expected


def test_a_resumed_stage_equals_the_uninterrupted_one(distilled, tmp_path):
    recipe, run = distilled
    again = tmp_path / "again"
    shutil.copytree(run, again)
    place = again / "stages/3-student"
    (place / "result.json").unlink()
    shutil.rmtree(place / "model")
    shutil.rmtree(place / "checkpoints/step-00000008")
    hanlin.run(recipe, folder=again, quiet=True)
    name = "stages/3-student/model/model.safetensors"
    assert (again / name).read_bytes() == (run / name).read_bytes()
    assert read_result(again, "3-student")["teacher_tokens"] == 2 * 6 * 512
    bridges = "stages/3-student/checkpoints/step-00000008/model.safetensors"
    assert (again / bridges).read_bytes() == (run / bridges).read_bytes()


def test_the_runs_own_recipe_means_the_same(distilled):
    _, run = distilled
    before = (run / "stages/3-student/result.json").stat().st_mtime_ns
    hanlin.run(run / "recipe.toml", folder=run, quiet=True)
    assert (run / "stages/3-student/result.json").stat().st_mtime_ns == before
    assert "num_heads = 4" not in (run / "recipe.toml").read_text(encoding="utf-8")


def test_the_recipe_of_the_documentation_can_be_carried_out():
    page = Path(__file__).parents[2] / "docs/concepts/distillation.md"
    found = re.search(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    corpus = {"sources": [{"name": "world", "world": {"stories": 30}}]}
    table = {"name": "page", "corpus": corpus, **tomllib.loads(found.group(1))}
    check_recipe(parse_recipe(table, where="the page"))


def test_fewer_layers_keep_some_blocks_of_the_start(distilled, tmp_path):
    _, run = distilled
    stage = STUDENT.replace('"student"', '"small"').replace('from = "teacher"', 'from = "student"')
    stage = stage.replace("hidden_size = 32, num_layers = 4", "num_layers = 2")
    stage = stage.replace("steps = 8", "steps = 1").replace("input = 0.5", "on_policy = 0.5")
    text = (run / "recipe.toml").read_text(encoding="utf-8")
    copy = run_recipe(with_stages(run, text, tmp_path, stage))
    start = load_release(copy / "stages/3-student/model")
    small = load_release(copy / "stages/4-small/model")
    moved = (small.embedding.weight - start.embedding.weight).norm() / start.embedding.weight.norm()
    assert (small.config.num_layers, small.config.hidden_size) == (2, 32)
    assert read_result(copy, "4-small")["teacher_tokens"] == 2 * 2 * 512  # the text, and its own
    assert _train_lines(copy, "small")[0]["on_policy"] > 0
    assert 0 < moved < 0.2
    assert torch.isfinite(moved)


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("hidden_size = 32", "hidden_size = 24", ModelError, "24 is no whole multiple of 16"),
        ("num_layers = 4", "num_layers = 1", ModelError, "cannot shrink"),
        ('from = "teacher"', 'from = "taecher"', RecipeError, "taecher"),
        ('teachers = ["teacher", "base"]', "", RecipeError, "distil.hint = 0.2 and no `teachers`"),
        ("soft = 0.5", "soft = 1.5", RecipeError, "soft"),
        ("until_share = 0.75", "until = 0.75", RecipeError, "Did you mean `.*until_share`"),
    ],
)
def test_an_impossible_stage_is_refused_before_any_work(
    tmp_path, tiny_text, old, new, error, message
):
    recipe = _write(tmp_path, tiny_text, TEACHER, STUDENT.replace(old, new))
    with pytest.raises(error, match=message):
        run_recipe(recipe)
    assert not (tmp_path / "run" / "corpus").exists()


def test_a_teacher_with_another_tokenizer_is_refused_by_name(distilled, tmp_path, tiny_text):
    _, run = distilled
    other = run / "stages/1-base/model"
    stage = TEACHER.replace('["base"]', f'["{other}"]').replace("steps = 8", "steps = 1")
    recipe = _write(tmp_path, tiny_text, stage, **{"vocab_size = 600": "vocab_size = 500"})
    with pytest.raises(TokenizerError, match=r"1-base/model has a bpe tokenizer of 600 entries"):
        run_recipe(recipe)


def test_a_known_tokenizer_is_compared_before_any_work(distilled, tmp_path, tiny_text):
    from hanlin.tokenizers import train_tokenizer

    _, run = distilled
    train_tokenizer("char", ["一二三 abc"], 349).save(tmp_path / "tokenizer")
    stage = TEACHER.replace('["base"]', f'["{run / "stages/1-base/model"}"]')
    recipe = _write(tmp_path, tiny_text, stage, **{"vocab_size = 600": 'path = "tokenizer"'})
    with pytest.raises(TokenizerError, match="A student and its teachers share every token"):
        run_recipe(recipe)
    assert not (tmp_path / "run" / "corpus").exists()


def test_a_teacher_that_reads_shorter_texts_is_refused_before_any_work(tmp_path, tiny_text):
    stage = TEACHER.replace('"teacher"', '"long"').replace("context_length = 64", "")
    stage = stage.replace("num_layers = 2,", "num_layers = 2, context_length = 128")
    recipe = _write(tmp_path, tiny_text, stage)
    with pytest.raises(
        ModelError, match=r"base reads 64 tokens, and the rows of this stage .* 128"
    ):
        run_recipe(recipe)
    assert not (tmp_path / "run" / "corpus").exists()


def test_a_stack_of_another_number_of_layers_is_refused_before_any_work(tmp_path, tiny_text):
    student = STUDENT.replace("soft = 0.5", 'depth = "stack"').replace("layers = 4", "layers = 5")
    recipe = _write(tmp_path, tiny_text, TEACHER, student)
    with pytest.raises(ModelError, match="num_layers 5 is no whole multiple of 2"):
        run_recipe(recipe)
    assert not (tmp_path / "run" / "corpus").exists()
