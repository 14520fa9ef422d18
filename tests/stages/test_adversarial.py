"""A task stage under attack, end to end: taught, resumed, measured, and attacked by the verb."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

import hanlin
from hanlin.attacks import FAMILIES, Family
from hanlin.cli import main
from hanlin.config import AttackFamily
from hanlin.errors import RecipeError, StoppedError
from hanlin.models import load_release
from hanlin.objectives import Adversarial

from .test_heads import RECIPE, STAGE

UNDER_ATTACK = (
    STAGE.replace("steps = 6", "steps = 4").replace("held_out = 2", "held_out = 6")
    + """
[stages.task.adversarial]
method = "freelb"
steps = 2
families = ["sound", "marks"]
held_out = ["pinyin"]
share = 0.5
tries = 2
measured = 3
"""
)
HEAD = '[[stages.task.tasks]]\nname = "mood"\npath = "reviews.jsonl"\nhead = {}\n'
WRITTEN = '[[stages.task.tasks]]\nname = "classify"\npath = "reviews.jsonl"\n'


def write(folder: Path) -> Path:
    rng = random.Random(1)
    lines = []
    for number in range(80):
        word = "喜欢" if number % 2 else "讨厌"
        text = f"{rng.choice('小大')}{rng.choice('猫狗')}{word}{rng.choice('鱼球花')}。"
        record = {"text": text + str(number), "label": ["bad", "good"][number % 2]}
        lines.append(json.dumps(record, ensure_ascii=False))
    path = folder / "reviews.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def run(folder: Path, *tables: str) -> Path:
    write(folder)
    path = folder / "recipe.toml"
    path.write_text(RECIPE + "".join(tables), encoding="utf-8")
    return hanlin.run(path, folder=folder / "run", quiet=True)


def result(folder: Path) -> dict[str, Any]:
    text = (folder / "stages" / "2-tasks" / "result.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished run with a head and with labels written out; tests must not change it."""
    return run(tmp_path_factory.mktemp("attacked"), UNDER_ATTACK, HEAD, WRITTEN)


def test_each_classifier_is_measured_by_every_family_that_is_named(taught: Path) -> None:
    figures = result(taught)
    assert set(figures["attacked"]) == {"mood", "classify"}
    for groups in figures["attacked"].values():
        (measured,) = groups.values()
        assert measured["clean"]["total"] == 3
        trained = {name: one["trained_on"] for name, one in measured["by_attack"].items()}
        known = {"sound": True, "marks": True, "trained": True}
        assert trained == {**known, "pinyin": False, "held_out": False}
    assert figures["extra_flops"] > 0


def test_a_stopped_stage_ends_where_an_uninterrupted_one_does(
    taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, calls = Adversarial.loss, []

    def interrupted(self: Adversarial[Any], *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGTERM)
        return plain(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Adversarial, "loss", interrupted)
        with pytest.raises(StoppedError):
            run(tmp_path, UNDER_ATTACK, HEAD, WRITTEN)
    resumed = run(tmp_path, UNDER_ATTACK, HEAD, WRITTEN)
    ours, theirs = (
        load_release(folder / "stages/2-tasks/model").state_dict() for folder in (resumed, taught)
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert result(resumed)["attacked"] == result(taught)["attacked"]


def test_a_family_that_is_held_out_is_never_asked_in_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[AttackFamily] = set()

    def watched(name: AttackFamily, family: Family) -> Family:
        def propose(text: str, rng: random.Random) -> Any:
            asked.add(name)
            return family(text, rng)

        return propose

    watching = {name: watched(name, family) for name, family in FAMILIES.items()}
    monkeypatch.setattr("hanlin.attacks.families.FAMILIES", watching)
    run(tmp_path, UNDER_ATTACK.replace("measured = 3", "measured = 0"), HEAD)
    assert asked == {"sound", "marks"}


def test_the_verb_attacks_a_head_and_writes_what_it_found(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.jsonl"
    command = ["attack", str(taught), "--data", str(write(tmp_path)), "--limit", "4"]
    common = ["--family", "sound,pinyin", "--budget", "0.5", "--queries", "40", "--json"]
    assert main([*command, *common, "--out", str(out)]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["texts"] == first["clean"]["total"] == 4
    assert set(first["by_attack"]) == {"sound", "pinyin", "together"}
    for figures in first["by_attack"].values():
        assert {"accuracy", "success", "queries", "changed", "untouched"} <= set(figures)
        assert (figures["queries"] or 0) <= 40
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == first["found"]
    for one in lines:
        assert one["text"] != one["adversarial"]
        assert one["read_as"] != one["label"]
    assert main([*command, *common, "--search", "gradient"]) == 0
    assert json.loads(capsys.readouterr().out)["clean"] == first["clean"]
    assert main([*command, "--family", "marks"]) == 0
    assert "4 texts, " in capsys.readouterr().out


def test_what_cannot_be_attacked_is_said(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path)
    base = ["attack", str(taught), "--data", str(data)]
    others = tmp_path / "others.jsonl"
    others.write_text('{"text": "小猫", "label": "neutral"}\n', encoding="utf-8")
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text('{"text": "小猫", "text2": "猫", "label": "good"}\n', encoding="utf-8")
    for command, message in (
        ([*base, "--family", "sonud"], "no family 'sonud'"),
        ([*base, "--budget", "0"], "--budget 0 is no share"),
        ([*base, "--queries", "0"], "--queries 0 allows nothing"),
        (["attack", str(taught), "--data", str(others)], "1 have a label that the model never"),
        (["attack", str(taught), "--data", str(pairs)], "pairs of texts"),
        (["attack", str(taught / "stages/1-base/model"), "--data", str(data)], "never taught"),
    ):
        assert main(command) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("families = [", 'families = ["pinyin", '), "pinyin cannot be trained on and held out"),
        (('method = "freelb"', 'method = "fgm"'), "`steps` has no meaning"),
        (('"marks"', '"sonud"'), "sonud"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        run(tmp_path, UNDER_ATTACK.replace(*change), HEAD)


def test_the_verb_attacks_a_task(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["attack", str(taught), "--data", str(write(tmp_path)), "--task", "classify"]
    common = ["--family", "sound", "--queries", "2", "--limit", "3"]
    assert main([*command, *common, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (attacks,) = found["by_group"].values()
    assert set(attacks) == {"sound"}
    assert {"clean", "chance", "worst", "rewritten"} <= set(attacks["sound"])
    assert main([*command, *common]) == 0
    assert "zh, sound, accuracy" in capsys.readouterr().out
    assert main([*command, "--out", str(tmp_path / "found.jsonl")]) == 2
    assert "--out keeps" in capsys.readouterr().err
