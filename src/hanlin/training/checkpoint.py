"""Checkpoints that are whole or absent, verified before they are trusted.

    checkpoints/step-00000200/
        model.safetensors       fp32 master weights, of what learns
        optimizer.safetensors   moments, momenta, and the objective's tensors
        state.json              step, counts, guard, settings, fingerprints
        manifest.json           SHA-256 and size of each of these; written last

A checkpoint is written beside its place, flushed, and renamed into it. A folder without a manifest,
or with a file that its manifest does not match, is set aside and the checkpoint before it is taken,
aloud. A save that fails (disk full, read-only) leaves the older ones as they were and training
going. Nothing here is a pickle.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from hanlin.errors import CheckpointError
from hanlin.records import atomic_directory, sha256_file, write_json
from hanlin.training.backup import Backup

__all__ = ["CheckpointStore", "Snapshot", "find_fault", "name_of", "read_snapshot"]

_FORMAT = 1
_FILES = ("model.safetensors", "optimizer.safetensors", "state.json")
_NAME = re.compile(r"step-(\d{8,})")

Alarm = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole state of training after `step` steps."""

    step: int
    weights: dict[str, Tensor]
    """fp32 weights by name; frozen ones are those that training started from."""
    tensors: dict[str, Tensor]
    """Tensors of the optimiser and of the objective, by name."""
    values: dict[str, Any]
    """Everything else, as JSON."""


class CheckpointStore:
    """The checkpoints of one stage, in one folder, with copies in a second place."""

    def __init__(self, folder: Path, *, keep: int, alarm: Alarm, backup: Backup | None = None):
        """Keep the newest `keep` checkpoints in `folder`; `alarm` is told what goes wrong."""
        self.folder = folder
        self._keep = keep
        self._alarm = alarm
        self._backup = backup

    def save(self, snapshot: Snapshot) -> Path | None:
        """Write a checkpoint, drop the oldest, and copy what is kept to the second place.

        A failure is told to `alarm` and returns None; older checkpoints stay as they were.
        """
        path = self.folder / name_of(snapshot.step)
        try:
            _write(path, snapshot)
            self._prune()
        except (OSError, SafetensorError) as error:
            self._alarm(
                f"The checkpoint of step {snapshot.step} could not be saved in {self.folder}: "
                f"{error}. Training goes on and saves again at the next interval; make room or "
                "make the folder writable before the machine stops."
            )
            return path if not find_fault(path) else None
        self._copy()
        return path

    def find(self) -> Path | None:
        """Return the newest whole checkpoint, brought back from the second place if need be.

        Raises:
            CheckpointError: there are checkpoints, but none is whole.
        """
        self._sweep()
        damaged: list[str] = []
        for path in reversed(self.list()):
            fault = find_fault(path)
            if not fault:
                return path
            damaged.append(f"{path.name}: {fault}")
            self._set_aside(path, fault)
        copied = self._find_in_backup()
        if copied is None and damaged:
            raise CheckpointError(
                f"No whole checkpoint is left in {self.folder} ({'; '.join(damaged)}). Bring one "
                "back from a copy, or remove the folder to train anew."
            )
        return copied

    def list(self) -> list[Path]:
        """Return the checkpoints that are in place, oldest first, unverified."""
        if not self.folder.is_dir():
            return []
        named = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(named, key=lambda path: int(path.name.removeprefix("step-")))

    def _prune(self) -> None:
        for path in self.list()[: -self._keep]:
            _remove(path)

    def _sweep(self) -> None:
        """Remove what a killed save or removal left behind."""
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if path.name.startswith(".step-") and path.suffix in (".tmp", ".old"):
                shutil.rmtree(path, ignore_errors=True)

    def _set_aside(self, path: Path, fault: str) -> None:
        self._alarm(
            f"The checkpoint {path} is damaged ({fault}); it is set aside and the one before it "
            "is taken."
        )
        aside = path.with_name(f"damaged-{path.name}")
        try:
            shutil.rmtree(aside, ignore_errors=True)
            path.replace(aside)
        except OSError as error:
            self._alarm(f"The damaged checkpoint {path} could not be set aside: {error}.")

    def _copy(self) -> None:
        if self._backup is None:
            return
        try:
            self._backup.mirror(self.list())
        except Exception as error:  # each store raises errors of its own; none may stop training
            self._alarm(
                f"The checkpoints could not be copied to {self._backup.url}: {error!r}. Training "
                "goes on and copies again at the next interval."
            )

    def _find_in_backup(self) -> Path | None:
        if self._backup is None:
            return None
        try:
            names = self._backup.names()
        except Exception as error:
            raise CheckpointError(
                f"There is no whole checkpoint in {self.folder}, and its second place "
                f"{self._backup.url} cannot be read: {error!r}. Training does not start anew while "
                "a copy may exist; make the place readable or leave out checkpoint.backup."
            ) from error
        for name in reversed(names):
            path = self.folder / name
            with atomic_directory(path) as temporary:
                self._backup.fetch(name, temporary)
            fault = find_fault(path)
            if not fault:
                self._alarm(f"The checkpoint {name} was restored from {self._backup.url}.")
                return path
            self._set_aside(path, f"copied from {self._backup.url}: {fault}")
        return None


def name_of(step: int) -> str:
    """Return the folder name of a step's checkpoint.

    >>> name_of(200)
    'step-00000200'
    """
    return f"step-{step:08d}"


def find_fault(path: Path) -> str:
    """Return what is wrong with a checkpoint folder, or an empty string if it is whole."""
    manifest = path / "manifest.json"
    if not manifest.is_file():
        return "manifest.json is missing"
    try:
        written = json.loads(manifest.read_text(encoding="utf-8"))
        files = {
            name: (entry["bytes"], entry["sha256"]) for name, entry in written["files"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return "manifest.json cannot be read"
    if set(files) != set(_FILES):
        return "manifest.json does not list the files of a checkpoint"
    for name, (size, digest) in files.items():
        file = path / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != size:
            return f"{name} has {file.stat().st_size} bytes in place of {size}"
        if sha256_file(file) != digest:
            return f"{name} does not match its SHA-256"
    return ""


def read_snapshot(path: Path) -> Snapshot:
    """Read a whole checkpoint."""
    values = json.loads((path / "state.json").read_text(encoding="utf-8"))
    if values.pop("format") != _FORMAT:
        raise CheckpointError(
            f"The checkpoint {path} has a format that this version of Hanlin does not know. "
            "Go on with the version that wrote it."
        )
    return Snapshot(
        step=values.pop("step"),
        weights=load_file(path / "model.safetensors"),
        tensors=load_file(path / "optimizer.safetensors"),
        values=values,
    )


def _write(path: Path, snapshot: Snapshot) -> None:
    with atomic_directory(path) as temporary:
        save_file(_plain(snapshot.weights), temporary / "model.safetensors")
        save_file(_plain(snapshot.tensors), temporary / "optimizer.safetensors")
        state = {"format": _FORMAT, "step": snapshot.step, **snapshot.values}
        write_json(temporary / "state.json", state)
        files = {
            name: {
                "bytes": (temporary / name).stat().st_size,
                "sha256": sha256_file(temporary / name),
            }
            for name in _FILES
        }
        write_json(temporary / "manifest.json", {"files": files})


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _remove(path: Path) -> None:
    """Remove a checkpoint so that a kill in between leaves no half of one under its name."""
    doomed = path.with_name(f".{path.name}.old")
    shutil.rmtree(doomed, ignore_errors=True)
    path.replace(doomed)
    shutil.rmtree(doomed)
