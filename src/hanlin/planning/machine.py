"""What machine this is, as far as training has to know: cores, memory, arithmetic, disk, GPUs.

A container may have fewer cores and less memory than the machine it runs on, so the limits of
control groups (cgroups 1 and 2) count wherever they are tighter. Everything comes from the standard
library, /proc and /sys; what cannot be found out is None.

    python -m hanlin.planning.machine
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

__all__ = [
    "available_memory",
    "describe_machine",
    "forget_peak",
    "memory_limit",
    "peak_memory",
    "processor_name",
    "resident_memory",
    "usable_cores",
]

_CGROUP = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60


def describe_machine(folder: Path | None = None) -> dict[str, Any]:
    """Return the machine as plain values; `folder` says whose disk is meant (the current one's)."""
    import torch

    from hanlin import __version__
    from hanlin.training.device import cpu_has_bf16

    return {
        "hanlin": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor_name(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "vector_instructions": torch.backends.cpu.get_cpu_capability(),
        "bf16_in_hardware": cpu_has_bf16(),
        "memory_bytes": memory_limit(),
        "memory_available_bytes": available_memory(),
        "disk_free_bytes": shutil.disk_usage(folder or Path.cwd()).free,
        "gpus": _gpus(),
    }


def usable_cores() -> int:
    """Return how many cores this process may use: affinity and the control group's quota count."""
    if sys.platform == "linux":
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = _cpu_quota()
    return max(1, min(cores, int(quota + 0.5))) if quota else cores


def memory_limit() -> int | None:
    """Return the memory that this process may use in bytes: the machine's, or its group's limit."""
    limits = [limit for limit in (_physical_memory(), _group_memory_limit()) if limit]
    return min(limits, default=None)


def available_memory() -> int | None:
    """Return the memory in bytes that can be had now without swapping."""
    found = [_meminfo("MemAvailable"), _group_memory_left(), memory_limit()]
    return min((value for value in found if value is not None), default=None)


def peak_memory() -> int:
    """Return the largest resident size of this process so far in bytes.

    /proc says it for this program alone (VmHWM); getrusage, used elsewhere, also counts the process
    from which this one was started.
    """
    found = _own_status("VmHWM")
    if found is not None:
        return found
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


def resident_memory() -> int:
    """Return the resident size of this process now in bytes; its peak where only that is known."""
    found = _own_status("VmRSS")
    return peak_memory() if found is None else found


def forget_peak() -> None:
    """Let `peak_memory` count from now on, where the system can (Linux); else do nothing."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def processor_name() -> str:
    """Return the processor's name."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _gpus() -> list[dict[str, Any]]:
    import torch

    if torch.cuda.is_available():
        properties = [
            torch.cuda.get_device_properties(place) for place in range(torch.cuda.device_count())
        ]
        return [{"name": gpu.name, "memory_bytes": gpu.total_memory} for gpu in properties]
    if torch.backends.mps.is_available():
        return [{"name": "Apple GPU (MPS)", "memory_bytes": memory_limit()}]
    return []


def _physical_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def _group_memory_limit() -> int | None:
    for path in _group_files("memory.max", "memory", "memory.limit_in_bytes"):
        text = _read(path).strip()
        if text.isdigit() and int(text) < _UNLIMITED:
            return int(text)
    return None


def _group_memory_left() -> int | None:
    limit = _group_memory_limit()
    if limit is None:
        return None
    for path in _group_files("memory.current", "memory", "memory.usage_in_bytes"):
        text = _read(path).strip()
        if text.isdigit():
            return max(0, limit - int(text))
    return limit


def _cpu_quota() -> float | None:
    for path in _group_files("cpu.max", "cpu", "cpu.cfs_quota_us"):
        words = _read(path).split()
        if not words or words[0] in ("max", "-1"):
            continue
        if len(words) == 2:
            return int(words[0]) / int(words[1])
        period = _read(path.with_name("cpu.cfs_period_us")).strip()
        if period.isdigit():
            return int(words[0]) / int(period)
    return None


def _group_files(unified: str, controller: str, old: str) -> list[Path]:
    """Return where a limit may stand: of the process's own group and of the root, both versions."""
    paths = []
    for line in _read("/proc/self/cgroup").splitlines():
        _, names, group = line.split(":", 2)
        if not names:
            paths.append(_CGROUP / group.lstrip("/") / unified)
        elif controller in names.split(","):
            paths.append(_CGROUP / controller / group.lstrip("/") / old)
    return [*paths, _CGROUP / unified, _CGROUP / controller / old]


def _own_status(key: str) -> int | None:
    for line in _read("/proc/self/status").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return None


def _meminfo(key: str) -> int | None:
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return None


def _cpuinfo(key: str) -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    for name, value in describe_machine().items():
        print(f"{name:24} {value}")
