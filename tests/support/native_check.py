"""The program that compares the native kernels of every instruction set with the portable ones."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from hanlin.generation.native import building
from hanlin.generation.native.building import BuildError, compile_core, find_compiler

_CHECK = Path(__file__).parents[1] / "generation" / "native_kernels.cpp"
_OTHERS = ("portable", "choosing", "matrix", "processor")
_ALL = ("avx2", "avx512", "avx512vnni", "neon", "neondot")


def build_check(folder: Path, linking: Sequence[str] = (), flags: Sequence[str] = ()) -> Path:
    """Compile the program and the kernels into `folder`, with more flags than a release has."""
    compiler = find_compiler()
    if compiler is None:
        raise BuildError("no C++ compiler was found")
    objects = compile_core(folder, flags, only=(*_ALL, *_OTHERS))
    include = f"-I{Path(building.__file__).parent}"
    command = [compiler, "-std=c++17", "-O1", include, _CHECK, *objects, *linking]
    subprocess.run([*command, "-o", folder / "check"], check=True)
    return folder / "check"
