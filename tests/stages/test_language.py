"""The language stage with its table: the whole way, resumed, and without it as before."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from hanlin.errors import RecipeError
from hanlin.records import read_jsonl, sha256_file
from stage_runs import read_result, run_recipe, write_recipe

_TABLE = """
[[stages]]
name = "polish"
kind = "language"
from = "base"

[stages.training]
steps = 6
batch_tokens = 512
log_every = 2
eval_every = 6
eval_tokens = 300
sample_every = 0
checkpoint = { every_steps = 2 }
optimizer = { kind = "adamw" }

[stages.language]
policy = 0.3
confidence = 0.1
overuse = 0.1
group = 3
prefix_tokens = 8
new_tokens = 12
row_share = 1.0
rewards = { critic = 0.1 }
exempt_common = 5
fluency_order = 3
"""
_NEW = ("token_unlikelihood", "sequence_unlikelihood", "policy", "kl", "reward", "entropy")


def _recipe(folder: Path, tiny: str, *, stage: str = _TABLE) -> Path:
    text = tiny.replace("stories = 300", "stories = 60").replace("ngram_order = 3", "ngram_order=0")
    text = text.replace("samples = 4", "samples = 0").replace("steps = 8", "steps = 2")
    return write_recipe(folder, text, stage)


def _metrics(run: Path, kind: str = "train") -> list[dict[str, Any]]:
    records = list(read_jsonl(run / "metrics.jsonl"))
    for record in records:
        record.pop("time")
    return [r for r in records if r["stage"] == "polish" and r["kind"] == kind]


def _weights(run: Path) -> str:
    return sha256_file(run / "stages/2-polish/model/model.safetensors")


@pytest.fixture(scope="module")
def polished(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Path:
    """Return a finished run of a base stage and a stage with every term."""
    folder = tmp_path_factory.mktemp("polished")
    return run_recipe(_recipe(folder, tiny_text))


def test_every_term_is_logged_and_the_cost_of_sampling_is_counted(polished: Path) -> None:
    last = _metrics(polished)[-1]
    assert set(_NEW) < last.keys()
    assert last["loss"] == pytest.approx(last["cross_entropy"], rel=1e-6)
    result = read_result(polished, "2-polish")
    assert 0 < result["sampling_share"] < 1
    assert 0 < result["extra_flops"] < result["flops"]
    assert result["sampled_tokens"] > 0 and result["learnt_own_tokens"] > 0


def test_a_stopped_stage_goes_on_to_the_same_weights_and_metrics(
    polished: Path, tmp_path: Path, tiny_text: str
) -> None:
    recipe = _recipe(tmp_path, tiny_text)
    run = run_recipe(recipe)
    checkpoints = run / "stages/2-polish/checkpoints"
    (run / "stages/2-polish/result.json").unlink()
    shutil.rmtree(checkpoints / "step-00000006")
    shutil.rmtree(run / "stages/2-polish/model")
    run_recipe(recipe)
    resumed = [e["step"] for e in read_jsonl(run / "events.jsonl") if e["event"] == "resumed"]
    assert resumed == [4]
    assert _weights(run) == _weights(polished)
    assert _metrics(run) == _metrics(polished)
    ours, theirs = (read_result(folder, "2-polish") for folder in (run, polished))
    assert ours["extra_flops"] == theirs["extra_flops"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("policy = 0.3", "starts from none"),
        ("new_tokens = 64", "more than its rows of 64"),
        ("policy = 0.3\ngroup = 1", "compares the continuations of a group"),
        (
            "rewards = { overlap = 0, repetition = 0, fluency = 0, lexical = 0, ending = 0 }",
            "weight 0",
        ),
    ],
)
def test_an_impossible_table_is_refused(
    tmp_path: Path, tiny_text: str, table: str, message: str
) -> None:
    settings = table if "new_tokens" in table else f"prefix_tokens = 8\nnew_tokens = 12\n{table}"
    stage = _TABLE[: _TABLE.index("[stages.language]")].replace('from = "base"', "")
    stage += f"[stages.language]\n{settings}\n"
    with pytest.raises(RecipeError, match=message):
        run_recipe(_recipe(tmp_path, tiny_text, stage=stage))
