"""The native core is built by any compiler, runs clean under sanitizers, and is not needed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hanlin.errors import UserError
from hanlin.generation.native import building, compiled
from hanlin.generation.native.building import BuildError, build, compile_core, find_compiler

DRIVER = Path(__file__).parent / "native_driver.cpp"
CORE = Path(building.__file__).parent


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert find_compiler() is None
    with pytest.raises(BuildError, match="no C\\+\\+ compiler"):
        compile_core(tmp_path)


def test_a_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(BuildError, match="failed"):
        compile_core(tmp_path)


def test_without_the_core_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_NAME", "hanlin.generation.native._nowhere")
    assert not compiled.is_available()
    with pytest.raises(UserError, match="--engine torch"):
        compiled.load_core()


@pytest.mark.slow
@pytest.mark.skipif(find_compiler() is None, reason="no C++ compiler")
@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
def test_sanitizers_are_silent(sanitizer: str, tmp_path: Path) -> None:
    flags = ["-O1", "-g", f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all"]
    compiler = find_compiler()
    assert compiler is not None
    objects = compile_core(tmp_path, flags)
    program = tmp_path / "driver"
    command = [compiler, "-std=c++17", *flags, f"-I{CORE}", DRIVER, *objects, "-pthread"]
    subprocess.run([*map(str, command), "-o", str(program)], check=True)
    done = subprocess.run([program], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-4000:]


@pytest.mark.slow
@pytest.mark.skipif(
    find_compiler() is None or importlib.util.find_spec("pybind11") is None,
    reason="no C++ compiler or no pybind11",
)
def test_the_module_is_built_and_loads(tmp_path: Path) -> None:
    module = build(tmp_path)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import _core; _core.Model"
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
    assert module.parent == tmp_path
