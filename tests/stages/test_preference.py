"""A task stage on preference pairs, end to end: learnt, measured, resumed, refused."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hanlin
from hanlin.errors import DataError, RecipeError, RunError, StoppedError
from hanlin.models import load_release
from hanlin.objectives import Preference
from hanlin.records import read_jsonl
from hanlin.stages.preference import measure_preference
from hanlin.tasks.base import Encoded
from hanlin.tasks.preferences import EncodedPair
from stage_runs import small_recipe

RECIPE = small_recipe(
    "preferring",
    model="num_layers = 1\ncontext_length = 64",
    training="steps = 2, batch_tokens = 512, eval_every = 2, eval_tokens = 300",
)

STAGE = """
[[stages]]
name = "preferred"
kind = "task"
from = "base"

[stages.training]
steps = 8
batch_tokens = 512
log_every = 1
eval_every = 4
eval_tokens = 300
sample_every = 0
checkpoint = { every_steps = 2 }

[stages.task]
held_out = 6

[stages.task.preference]
path = "pairs.jsonl"
"""


def write_pairs(folder: Path, *extra: dict[str, Any]) -> None:
    records = [
        {"prompt": f"小猫看见{n}条鱼。", "chosen": f"好的，{n}条。", "rejected": "不知道，不知道。"}
        for n in range(70)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(record, ensure_ascii=False) for record in [*records, *extra]]
    (folder / "pairs.jsonl").write_text("\n".join(lines), encoding="utf-8")


def run(folder: Path, stage: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(RECIPE + stage, encoding="utf-8")
    return hanlin.run(folder / "recipe.toml", folder=folder / "run", quiet=True)


def result(folder: Path) -> dict[str, Any]:
    text = (folder / "stages/2-preferred/result.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture(scope="module")
def preferred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished run; tests must not change it."""
    folder = tmp_path_factory.mktemp("preferred")
    write_pairs(folder)
    return run(folder, STAGE)


def test_what_is_preferred_gains_on_prompts_that_were_kept_apart(preferred: Path) -> None:
    found = result(preferred)["preference"]
    assert found["pairs"] == 64
    (figures,) = found["held_out"].values()
    assert figures["pairs"] == 6
    assert figures["accuracy"]["value"] > figures["controls"]["reference"] == 0.5
    assert figures["margin"] > 0
    assert figures["chosen_gain"] - figures["rejected_gain"] == pytest.approx(figures["margin"])
    assert set(result(preferred)["plain_text"]) == {"before", "after"}


def test_the_loss_falls_from_that_of_a_tie(preferred: Path) -> None:
    lines = [
        line
        for line in read_jsonl(preferred / "metrics.jsonl")
        if line["stage"] == "preferred" and line["kind"] == "train"
    ]
    assert lines[0]["loss"] == pytest.approx(np.log(2), rel=1e-5)
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert lines[-1]["bits_per_byte"] is None
    card = (preferred / "stages/2-preferred/model/README.md").read_text(encoding="utf-8")
    assert "preference pairs." in card


def test_a_stopped_stage_ends_where_an_uninterrupted_one_does(
    preferred: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pairs(tmp_path)
    plain, calls = Preference.loss, []

    def interrupted(self: Preference, *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 5:
            signal.raise_signal(signal.SIGTERM)
        return plain(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Preference, "loss", interrupted)
        with pytest.raises(StoppedError):
            run(tmp_path, STAGE)
    resumed = run(tmp_path, STAGE)
    ours, theirs = (
        load_release(folder / "stages/2-preferred/model").state_dict()
        for folder in (resumed, preferred)
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert result(resumed)["preference"] == result(preferred)["preference"]


def test_low_rank_corrections_without_a_reference_are_merged(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    low = STAGE.replace("held_out = 6", 'held_out = 6\nmethod = "lora"\nrank = 4')
    folder = run(tmp_path, low + 'loss = "simpo"\nanchor = 0.1\n')
    core = load_release(folder / "stages/1-base/model").state_dict()
    model = load_release(folder / "model").state_dict()
    assert torch.equal(core["embedding.weight"], model["embedding.weight"])
    name = "blocks.0.attention.qkv.weight"
    assert not torch.equal(core[name], model[name])


def test_other_pairs_under_a_finished_stage_are_refused(preferred: Path) -> None:
    pairs = preferred.parent / "pairs.jsonl"
    before = pairs.read_text(encoding="utf-8")
    try:
        write_pairs(preferred.parent, {"prompt": "a", "chosen": "b", "rejected": "c"})
        with pytest.raises(RunError, match=r"examples\.preference"):
            run(preferred.parent, STAGE)
    finally:
        pairs.write_text(before, encoding="utf-8")


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (STAGE, "is no file"),
        (STAGE.replace('path = "pairs.jsonl"', ""), "path"),
        (STAGE.replace('[stages.task.preference]\npath = "pairs.jsonl"\n', ""), "teaches either"),
        (
            STAGE + '[[stages.task.tasks]]\nname = "dialogue"\nworld = { stories = 20 }\n',
            "teaches either",
        ),
        (STAGE.replace("held_out = 6", "replay = 0.5"), "leave out .'replay'"),
    ],
)
def test_a_stage_without_pairs_is_refused(tmp_path: Path, stage: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        run(tmp_path, stage)


def test_a_record_without_a_rejected_reply_is_named(tmp_path: Path) -> None:
    write_pairs(tmp_path, {"prompt": "a", "chosen": "b"})
    with pytest.raises(DataError, match=r"pairs\.jsonl, line 71.*'rejected' is missing"):
        run(tmp_path, STAGE)


def test_a_step_too_small_for_a_pair_is_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    with pytest.raises(DataError, match=r"no whole pair: training\.batch_tokens is 40"):
        run(tmp_path, STAGE.replace("batch_tokens = 512", "batch_tokens = 40"))


def test_a_tie_counts_half_and_languages_are_told_apart() -> None:
    reply = Encoded.of([0, 1], [2, 3])
    pairs = [EncodedPair(language, reply, reply) for language in ("zh", "zh", "en")]
    before = np.array([[-4.0, -6.0], [-4.0, -4.0], [-4.0, -4.0]])
    after = before + np.array([[1.0, -1.0], [0.0, 0.0], [-3.0, -1.0]])
    found = measure_preference(pairs, before, after)["held_out"]
    assert found["zh"]["accuracy"]["value"] == 0.75
    assert found["zh"]["margin"] == 1
    assert found["en"]["accuracy"]["value"] == 0
    assert found["en"]["chosen_gain"] == -3
    assert found["zh"]["likelier"]["before"]["value"] == 0.75
    assert found["en"]["margin_error"] is None
    assert measure_preference([], before[:0], after[:0]) == {"held_out": {}}
