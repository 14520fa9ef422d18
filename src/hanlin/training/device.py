"""Where and in which arithmetic training runs: chosen once, and said in one line.

python -m hanlin.training.device
"""

from __future__ import annotations

import functools
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from hanlin.errors import UserError

__all__ = ["Placement", "choose_placement", "cpu_has_bf16", "measure_peak_flops"]


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and the dtype of the forward and backward pass."""

    device: torch.device
    dtype: torch.dtype
    threads: int

    def __str__(self) -> str:
        """Say it in one line, such as `cpu, 2 threads, fp32 (no bf16 units)`."""
        name = _DTYPE_NAMES[self.dtype]
        if self.device.type == "cuda":
            return f"{torch.cuda.get_device_name(self.device)}, {name}"
        if self.device.type != "cpu":
            return f"{self.device}, {name}"
        threads = f"{self.threads} thread{'s' * (self.threads != 1)}"
        reason = "" if self.dtype == torch.bfloat16 or cpu_has_bf16() else " (no bf16 units)"
        return f"cpu, {threads}, {name}{reason}"


_DTYPE_NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16"}


def choose_placement(
    device: str = "auto",
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    *,
    local_rank: int = 0,
) -> Placement:
    """Choose cuda before mps before cpu, and bf16 where the hardware multiplies in it.

    Raises:
        UserError: the device that was asked for is not there.
    """
    chosen = _device(device, local_rank)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    if precision == "auto" and _has_bf16(chosen):
        dtype = torch.bfloat16
    return Placement(chosen, dtype, torch.get_num_threads())


def cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether the CPU multiplies in bf16 (AVX512-BF16 or AMX, or Arm's BF16).

    Without such units bf16 runs several times slower than fp32.
    """
    if not cpuinfo.exists():
        return False
    flags = ("avx512_bf16", "amx_bf16", " bf16 ")
    return any(flag in f"{cpuinfo.read_text(encoding='utf-8')} " for flag in flags)


@functools.cache
def measure_peak_flops(placement: Placement) -> float:
    """Return the operations a second of a large matrix product: what 100 % MFU means here.

    The product grows until it takes 30 milliseconds (or is 8,192 wide) and is then repeated for
    0.3 seconds; this happens once a process.
    """
    size = 256
    _time_product(placement, size)  # the first one of a process also loads the library
    elapsed = _time_product(placement, size)
    while elapsed < 0.03 and size < 8192:
        size *= 2
        elapsed = _time_product(placement, size)
    times: list[float] = []
    started = time.monotonic()
    while not times or time.monotonic() - started < 0.3:
        times.append(_time_product(placement, size))
    return 2 * size**3 / statistics.median(times)


def _time_product(placement: Placement, size: int) -> float:
    a = torch.ones(size, size, dtype=placement.dtype, device=placement.device)
    started = time.perf_counter()
    product = a @ a.t()
    product[0, 0].item()  # waits for an accelerator
    return time.perf_counter() - started


def _device(name: str, local_rank: int) -> torch.device:
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    kind, _, index = name.partition(":")
    if name == "auto":
        kind = next(candidate for candidate, there in available.items() if there)
    elif not available.get(kind, False):
        there = ", ".join(candidate for candidate, ok in available.items() if ok)
        raise UserError(f"The device {name!r} is not there; this machine has: {there}.")
    if kind == "cuda":
        return torch.device("cuda", int(index) if index else local_rank)
    return torch.device(kind)


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and cpu_has_bf16()


if __name__ == "__main__":
    placement = choose_placement()
    print(f"{placement}; matrix peak {measure_peak_flops(placement) / 1e9:.0f} GFLOP/s")
