"""What `hanlin doctor` looks at: each check says what was found, and what to do about it.

python -m hanlin.planning.doctor
"""

from __future__ import annotations

import importlib.util
import locale
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hanlin.planning.machine import available_memory, memory_limit, usable_cores
from hanlin.planning.units import size

__all__ = ["Check", "doctor_checks"]

_LEAST_PYTHON = (3, 11)
_LEAST_TORCH = (2, 9)
_LEAST_MEMORY = 4e9
_LEAST_DISK = 2e9
_EXTRAS = {
    "data": ("pyarrow", "zstandard", "pypdf", "docx", "trafilatura"),
    "cloud": ("s3fs",),
    "hf": ("transformers",),
}
_PURPOSES = {
    "data": "Parquet, .zst, PDF, DOCX and web pages",
    "cloud": "backups to S3",
    "hf": "a comparison with transformers",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    advice: str = ""
    """What to do; empty where all is well."""


def doctor_checks(folder: Path | None = None) -> list[Check]:
    """Look at the machine and at the installation; `folder` says whose disk is meant."""
    return [
        _python(),
        _torch(),
        _arithmetic(),
        _native(),
        _threads(),
        _memory(),
        _disk(folder or Path.cwd()),
        _allocator(),
        _encoding(),
        *_extras(),
    ]


def _python() -> Check:
    ok = sys.version_info[:2] >= _LEAST_PYTHON
    return Check("Python", ok, platform.python_version(), "" if ok else "Install Python 3.11.")


def _torch() -> Check:
    import torch

    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if torch.cuda.is_available():
        build = f"CUDA {torch.version.cuda}, {torch.cuda.get_device_name(0)}"
    elif torch.backends.mps.is_available():
        build = "MPS"
    else:
        build = "CPU only" if torch.version.cuda is None else "CUDA build, but no GPU is found"
    ok = version >= _LEAST_TORCH
    advice = "" if ok else f"Install torch {'.'.join(map(str, _LEAST_TORCH))} or newer."
    return Check("torch", ok, f"{torch.__version__} ({build})", advice)


def _arithmetic() -> Check:
    import torch

    from hanlin.training.device import cpu_has_bf16

    if torch.cuda.is_available():
        found = "bf16 on the GPU" if torch.cuda.is_bf16_supported() else "fp32 on the GPU"
        return Check("arithmetic", True, found)
    kind = torch.backends.cpu.get_cpu_capability()
    found = "bf16 in hardware" if cpu_has_bf16() else "fp32 (no bf16 in hardware)"
    return Check("arithmetic", True, f"{found}, {kind}")


def _native() -> Check:
    from hanlin.generation.native import is_available, load_core
    from hanlin.generation.native.compiled import INSTRUCTIONS_VARIABLE, default_instructions

    if not is_available():
        # A choice as well, since torch does the same work, only slower.
        found = "not built, torch generates; with a C++17 compiler and pybind11:"
        return Check("native engine", True, f"{found} python -m hanlin.generation.native.building")
    core = load_core()
    sets, named = core.instruction_sets(), default_instructions()
    if named not in ("auto", *sets):
        found = f"built, but {INSTRUCTIONS_VARIABLE} is {named}, which is not here"
        return Check("native engine", False, found, f"Unset it, or name one of {', '.join(sets)}.")
    found = f"built, {sets[0]} (on the CPU)"
    if named != "auto":
        found = f"built, {named} (on the CPU, by {INSTRUCTIONS_VARIABLE})"
    if left_out := core.left_out():
        found += (
            f"; without {', '.join(left_out)}, which its compiler could not write; with a newer "
            "one: python -m hanlin.generation.native.building"
        )
    return Check("native engine", True, found)


def _threads() -> Check:
    import torch

    threads, cores = torch.get_num_threads(), usable_cores()
    set_by = os.environ.get("OMP_NUM_THREADS")
    found = f"{threads} threads on {cores} cores"
    if threads == cores:
        return Check("threads", True, found)
    why = f"OMP_NUM_THREADS is {set_by}" if set_by else "torch counts other cores than may be used"
    return Check("threads", False, found, f"{why}; set OMP_NUM_THREADS={cores}.")


def _memory() -> Check:
    limit, left = memory_limit(), available_memory()
    if limit is None:
        return Check("memory", True, "unknown on this system")
    found = size(limit) + ("" if left is None else f", {size(left)} free")
    if left is not None and left < _LEAST_MEMORY:
        return Check(
            "memory", False, found, "Close other programs, or keep to models below 10M parameters."
        )
    return Check("memory", True, found)


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    ok = free >= _LEAST_DISK
    advice = "" if ok else "Free some space; a checkpoint takes about 12 bytes a parameter."
    return Check("disk", ok, f"{size(free)} free in {folder}", advice)


def _allocator() -> Check:
    preloaded = os.environ.get("LD_PRELOAD", "")
    named = next((name for name in ("tcmalloc", "jemalloc") if name in preloaded), "")
    if named:
        return Check("allocator", True, f"{named} (LD_PRELOAD)")
    library = platform.libc_ver()[0] or "the system's"
    return Check("allocator", True, f"{library}, told to keep big buffers while training")


def _encoding() -> Check:
    encoding, standard = locale.getpreferredencoding(False), sys.stdout.encoding or ""
    ok = all(name.lower().replace("-", "") == "utf8" for name in (encoding, standard))
    found = f"files {encoding}, terminal {standard}"
    advice = "Set PYTHONUTF8=1 or LANG=C.UTF-8, so that Chinese is shown."
    return Check("text encoding", ok, found, "" if ok else advice)


def _extras() -> Iterator[Check]:
    for extra, modules in _EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if not missing:
            yield Check(f"extra: {extra}", True, f"installed ({_PURPOSES[extra]})")
            continue
        # An extra is a choice, not a fault: its absence is told, with the way to change it.
        found = f"without {', '.join(missing)} ({_PURPOSES[extra]})"
        yield Check(f"extra: {extra}", True, f"{found}; pip install 'hanlin[{extra}]'")


if __name__ == "__main__":
    for check in doctor_checks():
        print("ok  " if check.ok else "LOOK", f"{check.name:16} {check.found} {check.advice}")
