"""The device is chosen by what is there, and said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hanlin.errors import UserError
from hanlin.training import (
    Placement,
    choose_placement,
    cpu_has_bf16,
    keep_buffers,
    measure_peak_flops,
)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("avx2 avx512f avx512_bf16 fma", True), ("avx2 amx_bf16", True), ("avx2 avx512f fma", False)],
)
def test_bf16_is_chosen_where_the_processor_multiplies_in_it(
    tmp_path: Path, flags: str, expected: bool
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor : 0\nflags : fpu {flags}\n", encoding="utf-8")
    assert cpu_has_bf16(cpuinfo) is expected


def test_without_a_list_of_flags_there_is_no_bf16(tmp_path: Path) -> None:
    assert not cpu_has_bf16(tmp_path / "absent")


def test_precision_can_be_asked_for() -> None:
    assert choose_placement("cpu", "bf16").dtype == torch.bfloat16
    assert choose_placement("cpu", "fp32").dtype == torch.float32


def test_a_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UserError, match=r"'tpu' is not there; this machine has: .*cpu"):
        choose_placement("tpu")


def test_the_choice_is_one_line() -> None:
    line = str(Placement(torch.device("cpu"), torch.float32, 2))
    assert line.startswith("cpu, 2 threads, fp32")
    assert "\n" not in line


def test_the_peak_is_a_plausible_speed() -> None:
    assert 1e8 < measure_peak_flops(choose_placement("cpu", "fp32")) < 1e15


def test_keeping_buffers_twice_changes_nothing() -> None:
    assert keep_buffers() == keep_buffers()
