"""Compile the core: the sources beside this file into one module, by any C++17 compiler.

Installing the package calls `build` through a hook of hatchling (`hatch_build.py`), the backend
that the package has anyway: compiled once, where pip's own build environment brings pybind11, so
that neither a compiler nor headers are needed later. Where no compiler is found, or it fails, the
package installs without the module and PyTorch generates in its place. setuptools' optional
extensions would do the same at the price of a second backend; compiling at first use would make
every user's machine need headers and a place that it may write executable files to.

Each file has flags of its own: only the one for an instruction set is compiled for it, so that the
module runs on machines without. Where a compiler is too old for a set, its file becomes an empty
table and the module has one set less, which `hanlin doctor` says on machines that have it.

    python -m hanlin.generation.native.building    compiles in place, as a developer does
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

__all__ = ["BuildError", "build", "compile_core", "find_compiler", "instruction_sets"]

_HERE = Path(__file__).parent
_FLAGS = ("-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-pthread", "-Wall", "-Wextra")
_AVX2 = ("-mavx2", "-mfma", "-mf16c", "-ffp-contract=fast")
# g++ warns of the undefined registers that its own header for AVX-512 starts from.
_AVX512 = ("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-Wno-maybe-uninitialized")
_OWN_FLAGS = {
    "x86_64": {
        "avx2": _AVX2,
        "avx512": (*_AVX2, *_AVX512),
        "avx512vnni": (*_AVX2, *_AVX512, "-mavx512vnni"),
    },
    "aarch64": {"neon": (), "neondot": ("-march=armv8.2-a+dotprod",)},
}
_OTHER_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}
_SECONDS = 600


class BuildError(Exception):
    """The core could not be compiled; the message is for a person to read."""


def find_compiler() -> str | None:
    """Return the C++ compiler: `$CXX`, or the first of the usual names that is there."""
    named = os.environ.get("CXX", "").split()
    names = named[:1] or ["c++", "g++", "clang++"]
    return next((found for name in names if (found := shutil.which(name))), None)


def build(folder: Path = _HERE) -> Path:
    """Compile the module for this Python into `folder`; return its path.

    Raises:
        BuildError: there is no compiler or no pybind11, or compiling fails.
    """
    try:
        import pybind11
    except ImportError as error:
        raise BuildError("pybind11 is not installed: pip install pybind11") from error
    headers = [pybind11.get_include(), sysconfig.get_paths()["include"]]
    target = folder / f"_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    link = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    with tempfile.TemporaryDirectory() as objects:
        core = compile_core(Path(objects))
        binding = Path(objects) / "binding.o"
        includes = [f"-I{path}" for path in headers]
        _compile(_HERE / "binding.cpp", binding, includes)
        fresh = Path(objects) / target.name
        _run([_compiler(), "-shared", "-pthread", *link, *map(str, [*core, binding]), "-o", fresh])
        # Moved in whole, so that a Python that holds the old module keeps it.
        shutil.copy2(fresh, partial := target.with_suffix(".partial"))
        partial.replace(target)
    return target


def compile_core(
    folder: Path, flags: Sequence[str] = (), only: Collection[str] | None = None
) -> list[Path]:
    """Compile the core without its binding, or `only` some of its files, with more flags; return
    the object files."""
    sources = sorted((_HERE / "core").glob("*.cpp"))
    if only is not None:
        sources = [source for source in sources if source.stem in only]
    objects = [folder / f"{source.stem}.o" for source in sources]
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        list(workers.map(lambda s, o: _compile(s, o, flags), sources, objects))
    return objects


def instruction_sets() -> list[str]:
    """Return the sets that the compiler's processors may have, beside `portable`; each a file."""
    return list(_OWN_FLAGS.get(_target(_compiler()), {}))


@cache
def _target(compiler: str) -> str:
    """Return the kind of processor that a compiler writes for, which need not be this one."""
    done = subprocess.run([compiler, "-dumpmachine"], capture_output=True, text=True, check=False)
    named = done.stdout.split("-")[0].strip() or platform.machine().lower()
    return _OTHER_NAMES.get(named, named)


def _compile(source: Path, target: Path, flags: Sequence[str]) -> None:
    own = _OWN_FLAGS.get(_target(_compiler()), {}).get(source.stem, ())
    command: list[str | Path] = [_compiler(), *_FLAGS, *flags, "-c", source, "-o", target]
    try:
        _run([*command, *own])
    except BuildError as error:
        if not own:
            raise
        print(f"{source.stem} is left out; this compiler cannot write it: {error}", file=sys.stderr)
        _run(command)


def _compiler() -> str:
    if (found := find_compiler()) is None:
        raise BuildError("no C++ compiler was found; install g++ or clang++, or set CXX")
    return found


def _run(command: Sequence[str | Path]) -> None:
    words = [str(word) for word in command]
    try:
        subprocess.run(words, check=True, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{' '.join(words)} failed:\n{error.stderr[-2000:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{' '.join(words)} failed: {error}") from error


if __name__ == "__main__":
    try:
        print(build())
    except BuildError as reason:
        sys.exit(f"The native engine was not built: {reason}")
