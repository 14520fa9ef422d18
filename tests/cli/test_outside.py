"""What a newcomer gets wrong is answered in words: encodings, bounds, missing folders."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hanlin.cli import main
from hanlin.cli._outside import check_text, read_input
from hanlin.cli._sampling import SamplingFlags
from hanlin.errors import UserError


def test_an_argument_in_another_encoding_is_refused_by_its_byte(
    capsys: pytest.CaptureFixture[str],
) -> None:
    prompt = "从前".encode("gb18030").decode("utf-8", "surrogateescape")
    assert main(["generate", "runs/none", "--prompt", prompt]) == 2
    assert "is not UTF-8: it has the byte 0xB4" in capsys.readouterr().err


def test_standard_input_in_another_encoding_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "从前".encode("gb18030").decode("utf-8", "surrogateescape")
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    with pytest.raises(UserError, match="Standard input is not UTF-8"):
        read_input()


def test_text_of_every_script_passes() -> None:
    assert check_text("从前 once 𠮷 😀", "It") == "从前 once 𠮷 😀"


def test_a_terminal_that_cannot_show_a_text_shows_question_marks() -> None:
    code = "import sys; sys.argv = ['hanlin', '--help']; from hanlin.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path)},
        check=True,
    )
    assert done.stdout.startswith(b"Hanlin (??): raw Chinese")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"max_tokens": 0}, "--max-tokens 0: it should be greater than or equal to 1."),
        ({"temperature": -1.0}, "--temperature -1.0: it should be greater than or equal to 0."),
        ({"regex": "a", "choices": ("b",)}, "regex and choices exclude each other; give one."),
    ],
)
def test_an_impossible_way_of_drawing_is_told_by_its_flag(
    values: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError) as refused:
        SamplingFlags(**values)
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["generate", "runs/none", "--samples", "0"], "--samples 0: it should be"),
        (["generate", "runs/none", "--proposals", "-1"], "--proposals -1: it should be"),
        (["generate", "runs/none", "--beams", "0"], "--beams 0: it should be"),
        (["new", "none", "--text", "none.txt", "--minutes", "0"], "--minutes 0: training"),
    ],
)
def test_an_impossible_number_is_told_by_its_flag_before_any_work(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_folder_of_runs_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "list", str(tmp_path / "none")]) == 2
    assert "There is no folder" in capsys.readouterr().err


def test_score_without_a_sentence_asks_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "runs/none"]) == 2
    assert "There is no text to score" in capsys.readouterr().err


def test_help_names_its_arguments_and_keeps_no_line_breaks_of_the_source(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["generate", "--help"])
    text = re.sub(r"[ │]+", " ", capsys.readouterr().out)
    words = " ".join(text.split())
    assert "usage: hanlin generate [-h] [OPTIONS] MODEL" in words
    assert "for the core alone; left out, the model's default." in words
    assert "--seed INT Seed of the draw" in words
    assert "{None}" not in words
    assert "\nWith --suffix" in text


def test_a_reader_that_has_left_ends_the_verb_without_a_word():
    command = [sys.executable, "-u", "-m", "hanlin", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as verb:
        assert verb.stdout is not None and verb.stderr is not None
        verb.stdout.close()
        assert verb.stderr.read() == b""
    assert verb.returncode == 141
