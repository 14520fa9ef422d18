"""Files and folders are either whole or absent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hanlin.errors import RunError
from hanlin.records import (
    append_jsonl,
    atomic_directory,
    atomic_file,
    hold_folder,
    is_held,
    read_jsonl,
    truncate_jsonl,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    write_text(path, "旧")
    with pytest.raises(OSError, match="disk full"), atomic_file(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise OSError("disk full")
    assert path.read_text(encoding="utf-8") == "旧"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_folder_leaves_the_old_folder_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with atomic_directory(path) as temporary:
        (temporary / "a").write_text("1", encoding="utf-8")
    with pytest.raises(RuntimeError), atomic_directory(path) as temporary:
        (temporary / "b").write_text("2", encoding="utf-8")
        raise RuntimeError
    assert [file.name for file in path.iterdir()] == ["a"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_folder_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "model"
    for name in ("a", "b"):
        with atomic_directory(path) as temporary:
            (temporary / name).write_text(name, encoding="utf-8")
    assert [file.name for file in path.iterdir()] == ["b"]


def test_new_files_have_the_rights_that_the_umask_gives(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        write_text(tmp_path / "note.txt", "x")
    finally:
        os.umask(old)
    assert (tmp_path / "note.txt").stat().st_mode & 0o777 == 0o644


def test_a_cut_last_line_is_passed_over_and_closed_off(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    append_jsonl(log, {"step": 1})
    with log.open("a", encoding="utf-8") as file:
        file.write('{"step": 2, "lo')
    append_jsonl(log, {"step": 3})
    assert [record["step"] for record in read_jsonl(log)] == [1, 3]


def test_truncation_keeps_what_is_asked_for(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    for step in range(5):
        append_jsonl(log, {"step": step, "文": "字"})
    truncate_jsonl(log, lambda record: record["step"] <= 2)
    assert [record["step"] for record in read_jsonl(log)] == [0, 1, 2]
    assert "字" in log.read_text(encoding="utf-8")


def test_a_second_process_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hanlin.records import hold_folder\n"
        "with hold_folder(Path(sys.argv[1])): pass"
    )
    with hold_folder(tmp_path):
        other = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
    assert f"process {os.getpid()} on" in other.stderr
    assert "RunError" in other.stderr
    with hold_folder(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="cannot be written"), hold_folder(tmp_path / "file" / "run"):
        pass
