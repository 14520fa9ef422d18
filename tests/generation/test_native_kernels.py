"""The native kernels of every instruction set against the portable ones, on this machine.

What this machine cannot run is run in an emulator: tests/support/native_emulated.py.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hanlin.generation.native import building, is_available, load_core
from hanlin.generation.native.building import compile_core, find_compiler, instruction_sets
from native_check import build_check

pytestmark = pytest.mark.skipif(find_compiler() is None, reason="no C++ compiler")


def test_every_set_agrees_with_the_portable_one(tmp_path: Path) -> None:
    # Without the optimiser's last tricks, which take most of the time; the emulated check has them.
    program = build_check(tmp_path, flags=["-O1"])
    done = subprocess.run([program], capture_output=True, text=True, timeout=120)
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[-1]) == (0, "DONE 0 failures"), done.stdout
    passed = [line.split()[1] for line in lines if line.startswith("PASS") and "gap" in line]
    checked = set(passed)
    absent = {line.split()[-1] for line in lines if line.startswith("NOT")}
    assert checked | absent == set(instruction_sets())
    assert not checked & absent
    assert lines[-2] == f"PASS auto takes {passed[0] if passed else 'portable'}"
    if is_available():
        assert checked == set(load_core().instruction_sets()) - {"portable"}
    _nothing_but_a_table(tmp_path)


def _nothing_but_a_table(objects: Path) -> None:
    """No code of one set may be linked into another, or run before it is chosen."""
    if (nm := shutil.which("nm")) is None:
        return
    for name in instruction_sets():
        listed = subprocess.run(
            [nm, "-C", str(objects / f"{name}.o")], capture_output=True, text=True, check=True
        ).stdout
        symbols = [line.split(maxsplit=1) for line in listed.splitlines() if " U " not in line]
        shared = [rest for _, rest in symbols if rest[0].isupper() or rest[0] in "vwu"]
        assert [rest.split()[-1] for rest in shared] == [f"hanlin::{name}_kernels"]
        assert "_GLOBAL__sub_I" not in listed


def test_a_compiler_too_old_leaves_a_set_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(building, "_target", lambda compiler: "x86_64")
    monkeypatch.setitem(building._OWN_FLAGS["x86_64"], "avx512", ("-mno-such-thing",))
    (found,) = compile_core(tmp_path, only=["avx512"])
    assert found.is_file()
    assert "avx512 is left out" in capsys.readouterr().err
