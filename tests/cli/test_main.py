"""The front door: help, unknown verbs, exit codes, and what importing costs."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from hanlin.cli import VERBS, main

ALL_VERBS = [name for group in VERBS.values() for name in group]


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {verb} " in text for verb in ALL_VERBS)


def test_an_unknown_verb_names_the_nearest_and_ends_with_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["genrate"]) == 2
    assert "Did you mean `hanlin generate`" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ALL_VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([verb, "--help"])
    assert left.value.code == 0
    assert f"Example: hanlin {verb}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]])
def test_help_loads_no_torch(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom hanlin.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'transformers', 'tokenizers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_flag_that_is_not_known_ends_with_2() -> None:
    with pytest.raises(SystemExit) as left:
        main(["doctor", "--nonsense"])
    assert left.value.code == 2


def test_a_full_disk_is_said_in_words_and_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hanlin.cli import doctor

    def fail(arguments: list[str]) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "runs/x/corpus")

    monkeypatch.setattr(doctor, "main", fail)
    assert main(["doctor"]) == 2
    assert "No space left on device: runs/x/corpus" in capsys.readouterr().err


def test_a_missing_recipe_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "none.toml"]) == 2
    assert "none.toml does not exist" in capsys.readouterr().err
