"""Check the native kernels on processors that this machine is not, by emulating them.

`native_kernels.cpp` is compiled with the flags of a release and linked statically. On x86-64 the
emulator is Bochs, and the program runs alone there (`native_bare.cpp` stands for the system): with
VNNI, with AVX-512 only, with AVX-512 that is not switched on, with AVX2, and with none of them. On
64-bit Arm it is qemu-user, with dot products and without. Each must take the kernels that are meant
for it and meet no instruction that it lacks, and all kernels that it can run must agree with the
portable ones. It says nothing of speed.

No part of the test suite: a processor takes about half a minute of computing. On Debian:

    apt-get install bochs bochsbios vgabios grub-pc-bin grub-common xorriso mtools
    apt-get install g++-aarch64-linux-gnu qemu-user
    python tests/support/native_emulated.py     (or the names of some machines)
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal, NamedTuple

from native_check import build_check

_BARE = Path(__file__).parents[1] / "generation" / "native_bare.cpp"
_COMPILERS = {"x86_64": "x86_64-linux-gnu-g++", "aarch64": "aarch64-linux-gnu-g++"}
_PROGRAMS = {
    "x86_64": ("bochs", "grub-mkrescue", "xorriso", "mformat", _COMPILERS["x86_64"]),
    "aarch64": ("qemu-aarch64", _COMPILERS["aarch64"]),
}
_BIOS = Path("/usr/share/bochs/BIOS-bochs-latest")
_VGA_BIOS = Path("/usr/share/vgabios/vgabios.bin")


class Machine(NamedTuple):
    """A processor to emulate, and the kernels that must be taken on it."""

    kind: Literal["x86_64", "aarch64"]
    model: str
    expected: str
    states: int = 0xE7
    """x86-64: the registers that are switched on, where it has them, as bits of XCR0."""


MACHINES = {
    "vnni": Machine("x86_64", "corei7_icelake_u", "avx512vnni"),
    "avx512": Machine("x86_64", "corei7_skylake_x", "avx512"),
    "unsaved": Machine("x86_64", "corei7_icelake_u", "avx2", states=0x07),
    "avx2": Machine("x86_64", "corei7_haswell_4770", "avx2"),
    "none": Machine("x86_64", "core2_penryn_t9600", "portable"),
    "neondot": Machine("aarch64", "max", "neondot"),
    "neon": Machine("aarch64", "cortex-a53", "neon"),
}

_SETTINGS = """\
display_library: {display}
config_interface: textconfig
romimage: file={bios}
vgaromimage: file={vga_bios}
cpu: model={model}, count=1, ips=10000000, reset_on_triple_fault=0
memory: guest=256, host=256
ata0-master: type=cdrom, path={folder}/disk.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={folder}/serial.txt
log: {folder}/emulator.txt
panic: action=fatal
error: action=ignore
info: action=ignore
clock: sync=none
plugin_ctrl: voodoo=0, speaker=0, e1000=0, es1370=0, ne2k=0, sb16=0
speaker: enabled=0
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
"""
_START = "multiboot /boot/machine\nboot\n"
# As code must be that runs without a system: no vectors, no red zone, nothing that is looked up.
_BARE_FLAGS = (
    *("-std=c++17", "-O1", "-ffreestanding", "-fno-exceptions", "-fno-rtti"),
    *("-fcf-protection=none", "-fno-pic", "-fno-pie", "-fno-stack-protector"),
    *(
        "-fno-asynchronous-unwind-tables",
        "-fno-tree-loop-distribute-patterns",
        "-mgeneral-regs-only",
        "-mno-red-zone",
    ),
    *("-nostdlib", "-static", "-no-pie"),
    "-Wl,-Ttext-segment=0x4000000,-z,max-page-size=4096,--build-id=none,-e,start",
)


def main() -> int:
    """Check the machines that are asked for; return 0 where all pass, 2 where one cannot be run."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("machines", nargs="*", help=f"some of {', '.join(MACHINES)}; else all")
    parser.add_argument("--display", default='rfb, options="timeout=0"', help="Bochs' display")
    parser.add_argument("--minutes", type=float, default=60, help="given to each machine")
    options = parser.parse_args()
    names = options.machines or list(MACHINES)
    if unknown := set(names) - set(MACHINES):
        parser.error(f"no machine {', '.join(unknown)}; there are {', '.join(MACHINES)}")
    results: dict[str, list[str]] = {"passed": [], "FAILED": [], "NOT RUN": []}
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            machine = MACHINES[name]
            print(f"== {name}: {machine.model}, expects {machine.expected}", flush=True)
            if missing := missing_parts(machine.kind):
                print(f"NOT RUN: {', '.join(missing)} is missing; the top of this file says more")
                results["NOT RUN"].append(name)
                continue
            folder = Path(scratch) / name
            folder.mkdir()
            lines = run(machine, program_for(machine, Path(scratch)), folder, options)
            print("\n".join(lines), flush=True)
            results["passed" if lines[-1] == "DONE 0 failures" else "FAILED"].append(name)
    print("; ".join(f"{how}: {', '.join(which)}" for how, which in results.items() if which))
    return 1 if results["FAILED"] else 2 if results["NOT RUN"] else 0


def missing_parts(kind: str) -> list[str]:
    """Return what the emulation needs and this machine has not."""
    missing = [name for name in _PROGRAMS[kind] if shutil.which(name) is None]
    files = (_BIOS, _VGA_BIOS) if kind == "x86_64" else ()
    return missing + [str(path) for path in files if not path.is_file()]


def program_for(machine: Machine, scratch: Path) -> Path:
    """Compile the check for a kind of machine, once."""
    folder = scratch / machine.kind
    if not (folder / "check").exists():
        folder.mkdir()
        os.environ["CXX"] = _COMPILERS[machine.kind]
        build_check(folder, ["-static", "-no-pie"])
    return folder / "check"


def run(machine: Machine, program: Path, folder: Path, options: argparse.Namespace) -> list[str]:
    """Return what `program` printed on the emulated machine."""
    seconds = 60 * options.minutes
    if machine.kind == "x86_64":
        write_disk(machine, program, folder)
        return emulate(machine, folder, options.display, seconds)
    command = ["qemu-aarch64", "-cpu", machine.model, "-E", f"EXPECT={machine.expected}", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    return done.stdout.splitlines() or [f"stopped: {done.stderr.strip()}"]


def write_disk(machine: Machine, program: Path, folder: Path) -> None:
    """Write a disk that starts `program` on the bare machine, as `folder`/disk.iso."""
    boot = folder / "iso" / "boot"
    (boot / "grub").mkdir(parents=True)
    (boot / "grub" / "grub.cfg").write_text(_START)
    settings = [
        f'-DPROGRAM="{program}"',
        f'-DSETTING="EXPECT={machine.expected}"',
        f"-DXCR0_WANTED={machine.states}",
    ]
    command = [_COMPILERS[machine.kind], *_BARE_FLAGS, *settings, _BARE, "-o", boot / "machine"]
    subprocess.run(command, check=True)
    disk = ["grub-mkrescue", "-o", folder / "disk.iso", folder / "iso"]
    subprocess.run(disk, check=True, capture_output=True)


def emulate(machine: Machine, folder: Path, display: str, seconds: float) -> list[str]:
    """Return what the program on the disk printed."""
    settings = folder / "bochsrc"
    places = {"bios": _BIOS, "vga_bios": _VGA_BIOS, "folder": folder}
    settings.write_text(_SETTINGS.format(display=display, model=machine.model, **places))
    command = ["nice", "-n", "10", "bochs", "-q", "-f", settings]
    with (folder / "output.txt").open("w") as output:
        emulator = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=output, text=True
        )
        assert emulator.stdin is not None
        emulator.stdin.write("c\n")  # "continue", where Bochs was built with its debugger
        emulator.stdin.flush()
        try:
            return follow(emulator, folder, seconds)
        finally:
            emulator.kill()
            emulator.wait()


def follow(emulator: subprocess.Popen[str], folder: Path, seconds: float) -> list[str]:
    """Wait for the program's last line; return its lines, or what the emulator said instead."""
    serial, end = folder / "serial.txt", time.monotonic() + seconds
    lines: list[str] = []
    while time.monotonic() < end and emulator.poll() is None:
        if serial.exists():
            lines = serial.read_text(errors="replace").replace("\r", "").splitlines()
        if lines and lines[-1].startswith("DONE"):
            return lines
        time.sleep(1)
    ending = "was too slow" if emulator.poll() is None else "stopped"
    said = (folder / "output.txt").read_text(errors="replace").splitlines()[-5:]
    return [*lines[-20:], f"the emulator {ending}:", *said]


if __name__ == "__main__":
    sys.exit(main())
