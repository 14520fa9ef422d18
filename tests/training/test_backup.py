"""Copies in a second place: sent whole, brought back whole, and never in the way."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from fsspec.implementations.memory import MemoryFileSystem

from hanlin.errors import CheckpointError
from hanlin.training import CheckpointStore, Snapshot, read_snapshot
from hanlin.training.backup import Backup


def _snapshot(step: int) -> Snapshot:
    return Snapshot(step, {"w": torch.full((9,), float(step))}, {}, {})


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    return "memory://bucket/run" if request.param == "memory" else f"file://{tmp_path}/second"


class _Place:
    def __init__(self, folder: Path, url: str) -> None:
        self.alarms: list[str] = []
        self.pauses: list[float] = []
        self.backup = Backup(url, sleep=self.pauses.append)
        self.store = CheckpointStore(
            folder / "checkpoints", keep=2, alarm=self.alarms.append, backup=self.backup
        )


def test_the_second_place_mirrors_what_is_kept(tmp_path: Path, url: str) -> None:
    place = _Place(tmp_path, url)
    for step in (1, 2, 3):
        place.store.save(_snapshot(step))
    assert place.backup.names() == ["step-00000002", "step-00000003"]
    assert not place.alarms


def test_a_lost_run_is_restored(tmp_path: Path, url: str) -> None:
    place = _Place(tmp_path, url)
    for step in (1, 2):
        place.store.save(_snapshot(step))
    shutil.rmtree(place.store.folder)
    found = place.store.find()
    assert found is not None
    assert torch.equal(read_snapshot(found).weights["w"], torch.full((9,), 2.0))
    assert "restored from" in place.alarms[0]


def test_a_damaged_copy_gives_way_to_the_one_before(tmp_path: Path, url: str) -> None:
    place = _Place(tmp_path, url)
    for step in (1, 2):
        place.store.save(_snapshot(step))
    shutil.rmtree(place.store.folder)
    fs: Any = place.backup._fs
    fs.pipe_file(f"{place.backup._root}/step-00000002/model.safetensors", b"no")
    found = place.store.find()
    assert found is not None and found.name == "step-00000001"


def test_a_copy_without_its_manifest_does_not_count(tmp_path: Path, url: str) -> None:
    place = _Place(tmp_path, url)
    place.store.save(_snapshot(1))
    fs: Any = place.backup._fs
    fs.rm_file(f"{place.backup._root}/step-00000001/manifest.json")
    assert place.backup.names() == []


def test_a_local_checkpoint_comes_before_a_copy(tmp_path: Path, url: str) -> None:
    place = _Place(tmp_path, url)
    place.store.save(_snapshot(1))
    other = CheckpointStore(place.store.folder, keep=2, alarm=place.alarms.append)
    other.save(_snapshot(5))
    found = place.store.find()
    assert found is not None and found.name == "step-00000005"


def test_a_store_that_fails_is_tried_thrice_then_alarmed_then_caught_up(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = _Place(tmp_path, url)
    place.store.save(_snapshot(1))

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("network is down")

    with monkeypatch.context() as broken:
        broken.setattr(type(place.backup._fs), "put_file", fail)
        assert place.store.save(_snapshot(2)) is not None
    assert place.pauses == [1.0, 2.0]
    assert "network is down" in place.alarms[0]
    place.store.save(_snapshot(3))
    assert place.backup.names() == ["step-00000002", "step-00000003"]


def test_a_short_outage_is_bridged(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = _Place(tmp_path, url)
    kind = type(place.backup._fs)
    whole, failures = kind.put_file, [True]

    def fail_once(self: Any, *given: Any, **options: Any) -> Any:
        if failures:
            raise TimeoutError(str(failures.pop()))
        return whole(self, *given, **options)

    monkeypatch.setattr(kind, "put_file", fail_once)
    place.store.save(_snapshot(1))
    assert place.backup.names() == ["step-00000001"]
    assert not place.alarms


def test_training_does_not_start_anew_while_a_copy_may_exist(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = _Place(tmp_path, url)

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("network is down")

    monkeypatch.setattr(type(place.backup._fs), "glob", fail)
    with pytest.raises(CheckpointError, match=r"network is down.*leave out checkpoint.backup"):
        place.store.find()
