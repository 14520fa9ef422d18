"""A task stage, end to end: taught, measured, resumed, used, and refused where it must be."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import hanlin
from hanlin.api import Model
from hanlin.cli import main
from hanlin.errors import DataError, ModelError, RecipeError, RunError, StoppedError
from hanlin.models import load_release, read_learnt
from hanlin.objectives import Answers
from hanlin.records import read_jsonl
from stage_runs import read_result, run_small, small_recipe

RECIPE = small_recipe(
    "taught",
    model="num_layers = 1\ncontext_length = 128",
    training="steps = 2, batch_tokens = 512, eval_every = 2, eval_tokens = 300",
)

STAGE = """
[[stages]]
name = "tasks"
kind = "task"
from = "base"
training = { steps = 6, batch_tokens = 512, log_every = 1, eval_every = 3, eval_tokens = 300, \
sample_every = 0, checkpoint = { every_steps = 2 } }

[stages.task]
held_out = 2
"""

WORLD = """
[[stages.task.tasks]]
name = "dialogue"
world = { stories = 40 }

[[stages.task.tasks]]
name = "summarize"
world = { stories = 40 }

[[stages.task.tasks]]
name = "translate"
world = { stories = 40, languages = ["zh"] }
"""


def run(folder: Path, *stages: str, **options: Any) -> Path:
    """Run the recipe with further stages in `folder`/run."""
    return run_small(folder, RECIPE, *stages, **options)


def result(folder: Path, stage: str = "2-tasks") -> dict[str, Any]:
    return read_result(folder, stage)


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished run; tests must not change it."""
    return run(tmp_path_factory.mktemp("taught"), STAGE, WORLD)


def test_each_task_is_measured_before_and_after_on_what_was_kept_apart(taught: Path) -> None:
    figures = result(taught)
    assert set(figures["tasks"]) == {"dialogue", "summarize", "translate"}
    for task in figures["tasks"].values():
        assert set(task["before"]) == set(task["after"])
        assert {name.split(".")[0] for name in task["after"]} == {"other_stories", "new_pairs"}
        for group in task["after"].values():
            assert {"examples", "copied", "copied_references", "controls"} <= set(group)
    shares = [task["share"] for task in figures["tasks"].values()]
    assert sum(shares) == pytest.approx(0.8)
    assert set(figures["plain_text"]["before"]) == set(figures["plain_text"]["after"])
    assert figures["flops"] > 0
    assert figures["tokens"] < figures["read_tokens"]


def test_only_targets_are_counted_and_the_loss_is_not_told_in_bits(taught: Path) -> None:
    lines = [
        line
        for line in read_jsonl(taught / "metrics.jsonl")
        if line["stage"] == "tasks" and line["kind"] == "train"
    ]
    assert len(lines) == 6
    assert lines[-1]["bits_per_byte"] is None
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_a_stopped_stage_ends_where_an_uninterrupted_one_does(
    taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, calls = Answers.loss, []

    def interrupted(self: Answers, *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGTERM)
        return plain(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Answers, "loss", interrupted)
        with pytest.raises(StoppedError):
            run(tmp_path, STAGE, WORLD)
    resumed = run(tmp_path, STAGE, WORLD)
    ours, theirs = (
        load_release(folder / "stages/2-tasks/model").state_dict() for folder in (resumed, taught)
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert result(resumed)["tasks"] == result(taught)["tasks"]


def test_the_release_remembers_what_it_was_taught_and_does_it(taught: Path) -> None:
    assert read_learnt(taught / "model") == ("dialogue", "summarize", "translate")
    model: Model = hanlin.load(taught)
    talk = [{"role": "user", "content": "请把球送人。"}]
    options = {"temperature": 0, "max_tokens": 8}
    assert model.chat(talk, **options) == "".join(model.stream_chat(talk, **options)).strip()
    assert 0 < model.reply(talk, **options).ask_probability < 1
    assert isinstance(model.summarize("小猫看见鱼。", ["小猫"], max_tokens=8), str)
    assert isinstance(model.translate("小猫看见鱼。", "en", max_tokens=8), str)


def test_a_model_that_was_never_taught_names_the_stage_that_teaches_it(
    taught: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = taught / "stages/1-base/model"
    model: Model = hanlin.load(base)
    for use in (
        lambda: model.chat([{"role": "user", "content": "你好"}]),
        lambda: model.summarize("小猫"),
        lambda: model.translate("小猫", "en"),
    ):
        with pytest.raises(ModelError, match=r"never taught `\w+`; it learnt plain text alone.*ta"):
            use()
    for verb in (["chat", str(base)], ["translate", str(base), "小猫", "--to", "en"]):
        assert main(verb) == 2
        assert "if its kind is `task`" in capsys.readouterr().err


def test_the_verbs_print_one_object(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = tmp_path / "story.txt"
    story.write_text("小猫看见鱼。小狗看见球。", encoding="utf-8")
    common = ["--json", "--max-tokens", "6"]
    assert main(["summarize", str(taught), str(story), "--keywords", "球，大象", *common]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["keywords"] == ["球"]
    assert found["struck"] == ["大象"]
    assert main(["translate", str(taught), "小猫看见鱼。", "--to", "en", *common]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"text", "to", "translation"}
    assert main(["summarize", str(taught), str(story), "--max-tokens", "6"]) == 0
    assert "keywords: " in capsys.readouterr().err


def test_low_rank_corrections_are_merged(taught: Path, tmp_path: Path) -> None:
    low = STAGE.replace("held_out = 2", 'held_out = 2\nmethod = "lora"\nrank = 4\nreplay = 0')
    folder = run(tmp_path, low, WORLD)
    assert not (folder / "model" / "expansions").exists()
    core = load_release(folder / "stages/1-base/model").state_dict()
    model = load_release(folder / "model").state_dict()
    assert torch.equal(core["embedding.weight"], model["embedding.weight"])
    assert not torch.equal(
        core["blocks.0.attention.qkv.weight"], model["blocks.0.attention.qkv.weight"]
    )
    assert sum(task["share"] for task in result(folder)["tasks"].values()) == pytest.approx(1)


def test_other_examples_under_a_finished_stage_are_refused(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    lines = [json.dumps({"text": f"小猫看见{n}条鱼。", "label": "多"}) for n in range(20)]
    pairs.write_text("\n".join(lines), encoding="utf-8")
    task = '[[stages.task.tasks]]\nname = "classify"\npath = "pairs.jsonl"\n'
    folder = run(tmp_path, STAGE, task)
    assert set(result(folder)["tasks"]["classify"]["after"]) == {"file.zh"}
    assert result(folder)["tasks"]["classify"]["skipped"] == 0
    run(tmp_path, STAGE, task)
    pairs.write_text("\n".join(lines[1:]), encoding="utf-8")
    with pytest.raises(RunError, match=r"examples\.classify"):
        run(tmp_path, STAGE, task)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (STAGE.replace("held_out = 2", ""), "tasks"),
        (
            '[[stages]]\nname = "t"\nkind = "task"\nfrom = "base"\ntraining = { steps = 1 }\n',
            "no task",
        ),
        (STAGE + WORLD.replace('"summarize"', '"dialogue"'), "two tasks are named 'dialogue'"),
        (STAGE + WORLD.replace("world = { stories = 40 }", ""), "either a path or a world"),
        (STAGE + WORLD.replace('"summarize"', '"rhyme"'), "There is no task 'rhyme'"),
        (STAGE.replace('from = "base"\n', "") + WORLD, "needs `from`: a task stage starts there"),
        (STAGE + '[[stages.task.tasks]]\nname = "translate"\npath = "no.jsonl"\n', "is no file"),
        (STAGE + WORLD + "[stages.replay]\nparts = ['main']\n", "`task.replay`"),
    ],
)
def test_a_recipe_that_cannot_be_carried_out_is_refused(
    tmp_path: Path, tables: str, message: str
) -> None:
    with pytest.raises((RecipeError, DataError), match=message):
        run(tmp_path, tables)
    assert not (tmp_path / "run" / "corpus").exists()


def test_a_rank_above_the_width_is_refused(tmp_path: Path) -> None:
    low = STAGE.replace("held_out = 2", 'method = "lora"\nrank = 64')
    with pytest.raises(ModelError, match="rank 64 is not below"):
        run(tmp_path, low, WORLD)


def chat(lines: str, monkeypatch: pytest.MonkeyPatch, taught: Path, *flags: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    return main(["chat", str(taught), "--seed", "5", "--max-tokens", "12", *flags])


def test_chat_keeps_a_history_that_is_saved_and_loaded(
    taught: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    saved = tmp_path / "talk.json"
    lines = f"请把球送人。\n/retry\n/set threshold=0\n/save {saved}\n/exit\n不读。\n"
    assert chat(lines, monkeypatch, taught) == 0
    written = capsys.readouterr().out
    messages = json.loads(saved.read_text(encoding="utf-8"))["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"]
    assert written.count(messages[1]["content"]) == 2
    assert chat(f"/load {saved}\n", monkeypatch, taught, "--json") == 0
    assert json.loads(capsys.readouterr().out)["messages"] == messages


def test_chat_lists_what_is_offered_and_a_number_takes_it_up(
    taught: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hanlin.tasks.use.find_offers", lambda *_: ("小明", "小红"))
    assert chat("请把球送人。\n2\n7\n", monkeypatch, taught, "--json") == 0
    messages = json.loads(capsys.readouterr().out)["messages"]
    assert [message["content"] for message in messages[::2]] == ["请把球送人。", "小红", "7"]
    assert messages[1]["offers"] == ["小明", "小红"]
    assert chat("请把球送人。\n", monkeypatch, taught) == 0
    assert "  2. 小红" in capsys.readouterr().err


def test_ctrl_c_stops_an_answer_on_a_terminal_and_the_dialogue_goes_on(
    taught: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object) -> Iterator[str]:
        yield "好"
        raise KeyboardInterrupt

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("hanlin.tasks.use.Conversation.stream", stopped)
    monkeypatch.setattr("sys.stdin", Terminal("请把球送人。\n/retry\n"))
    assert main(["chat", str(taught)]) == 0
    said = capsys.readouterr().err
    assert "/help lists the commands" in said
    assert "Stopped; that turn is not kept." in said
    assert "There is no turn of the assistant" in said


def test_chat_says_what_it_does_not_understand(
    taught: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = "/set nonsense=1\n/set temperature=hot\n/set top_p=7\n/set threshold=7\n"
    settings += "/set banned=猫\n/set stop=[1]\n"
    lines = f"/dance\n/retry\n{settings}/load no.json\n/help\n"
    assert chat(lines, monkeypatch, taught) == 0
    said = capsys.readouterr()
    assert said.out == ""
    for words in (
        "There is no command /dance",
        "no turn of the assistant",
        "/set takes KEY=VALUE",
        "temperature hot: it should be a valid number",
        "top_p 7: it should be less than or equal to 1.",
        "threshold 7: it should be a probability from 0 to 1.",
        "banned is 猫 from now on",
        "stop.0 1: it should be a valid string.",
        "no.json cannot be read",
        "/retry            let",
    ):
        assert words in said.err


def test_a_checkpoint_one_step_before_the_end_is_proven(tmp_path: Path) -> None:
    """The further step is the last one, so that the stage runs to its end once more."""
    stage = STAGE.replace("steps = 6", "steps = 3")
    saved = '[[stages]]\nname = "saved"\nkind = "checkpoint"\nfrom = "tasks"\n'
    folder = run(tmp_path, stage + WORLD, saved)
    result = read_result(folder, "3-saved")
    assert result["step"] == 2
    assert result["tensors_that_differ"] == 0
