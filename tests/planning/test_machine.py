from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hanlin.planning import describe_machine, doctor_checks, machine
from hanlin.planning.doctor import Check


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Contents of /proc and /sys, in place of the real ones."""
    contents: dict[str, str] = {}
    monkeypatch.setattr(machine, "_read", lambda path: contents.get(str(path), ""))
    return contents


def test_the_limit_of_a_control_group_counts_where_it_is_tighter(files: dict[str, str]) -> None:
    files["/proc/self/cgroup"] = "0::/box"
    files["/sys/fs/cgroup/box/memory.max"] = "1000000"
    files["/sys/fs/cgroup/box/memory.current"] = "400000"
    assert machine.memory_limit() == 1_000_000
    assert machine.available_memory() == 600_000


def test_old_control_groups_count_too(files: dict[str, str]) -> None:
    files["/proc/self/cgroup"] = "5:memory:/box\n4:cpu,cpuacct:/box"
    files["/sys/fs/cgroup/memory/box/memory.limit_in_bytes"] = "2000000"
    files["/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us"] = "100000"
    files["/sys/fs/cgroup/cpu/box/cpu.cfs_period_us"] = "100000"
    assert machine.memory_limit() == 2_000_000
    assert machine.usable_cores() == 1


@pytest.mark.parametrize("text", ["max", str(1 << 62), ""])
def test_a_group_without_limit_leaves_the_machines_own(files: dict[str, str], text: str) -> None:
    own = machine.memory_limit()
    files["/sys/fs/cgroup/memory.max"] = text
    assert machine.memory_limit() == own


def test_a_quota_of_half_a_core_is_one_core(files: dict[str, str]) -> None:
    files["/sys/fs/cgroup/cpu.max"] = "50000 100000"
    assert machine.usable_cores() == 1


def test_the_peak_is_forgotten_and_found_anew() -> None:
    # In a process of its own: memory that earlier tests freed, but this one kept, would be reused.
    code = (
        "import numpy as np\n"
        "from hanlin.planning import machine\n"
        "machine.forget_peak()\n"
        "before = machine.peak_memory()\n"
        "assert np.ones(400_000_000, dtype=np.uint8).all()\n"
        "assert machine.peak_memory() - before > 100_000_000, 'the peak was not found'\n"
        "assert machine.peak_memory() >= machine.resident_memory()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_machine_is_described_in_plain_values(tmp_path: Path) -> None:
    found = describe_machine(tmp_path)
    assert found["cores"] >= 1
    assert found["disk_free_bytes"] > 0
    assert isinstance(found["gpus"], list)


def test_the_doctor_advises_wherever_something_is_not_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("hanlin.planning.doctor.available_memory", lambda: 1_000_000_000)
    monkeypatch.setattr("hanlin.planning.doctor.usable_cores", lambda: 4096)
    checks = {check.name: check for check in doctor_checks(tmp_path)}
    assert not checks["memory"].ok
    assert not checks["threads"].ok
    assert "OMP_NUM_THREADS=4096" in checks["threads"].advice
    assert all(check.advice for check in checks.values() if not check.ok)
    assert all(check.found for check in checks.values())


def test_the_doctor_names_the_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    class Core:
        instruction_sets = staticmethod(lambda: ["avx2", "portable"])
        left_out = staticmethod(lambda: ["avx512"])

    def found() -> Check:
        return next(check for check in doctor_checks() if check.name == "native engine")

    monkeypatch.setattr("hanlin.generation.native.is_available", lambda: True)
    monkeypatch.setattr("hanlin.generation.native.load_core", Core)
    monkeypatch.delenv("HANLIN_INSTRUCTIONS", raising=False)
    assert "avx2 (on the CPU)" in found().found
    assert "without avx512" in found().found
    monkeypatch.setenv("HANLIN_INSTRUCTIONS", "portable")
    assert "portable (on the CPU, by HANLIN_INSTRUCTIONS)" in found().found
    monkeypatch.setenv("HANLIN_INSTRUCTIONS", "abacus")
    assert not found().ok
    assert "avx2, portable" in found().advice


def test_a_missing_extra_comes_with_the_way_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    extras = [check for check in doctor_checks() if check.name.startswith("extra")]
    assert extras
    assert all("pip install 'hanlin[" in check.found for check in extras)
