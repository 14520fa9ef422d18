"""A checkpoint is whole or it is not taken; what goes wrong is said and survived."""

from __future__ import annotations

import errno
import json
import resource
import shutil
from pathlib import Path

import pytest
import torch

from hanlin.errors import CheckpointError
from hanlin.training import CheckpointStore, Snapshot, find_fault, read_snapshot
from hanlin.training import checkpoint as checkpoint_module

FILES = ("model.safetensors", "optimizer.safetensors", "state.json", "manifest.json")


def _snapshot(step: int) -> Snapshot:
    weights = {"w": torch.full((50, 50), float(step))}
    return Snapshot(step, weights, {"m": torch.ones(3) * step}, {"note": "记", "step_again": step})


@pytest.fixture
def alarms() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, alarms: list[str]) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints", keep=2, alarm=alarms.append)


def _names(store: CheckpointStore) -> list[str]:
    return [path.name for path in store.list()]


def test_what_was_saved_comes_back(store: CheckpointStore) -> None:
    path = store.save(_snapshot(200))
    assert path is not None and path.name == "step-00000200"
    back = read_snapshot(path)
    assert back.step == 200
    assert back.values == {"note": "记", "step_again": 200}
    assert torch.equal(back.weights["w"], torch.full((50, 50), 200.0))
    assert torch.equal(back.tensors["m"], torch.full((3,), 200.0))


def test_an_empty_folder_holds_nothing(store: CheckpointStore, alarms: list[str]) -> None:
    assert store.find() is None
    assert not alarms


def test_the_newest_two_are_kept(store: CheckpointStore) -> None:
    for step in (1, 2, 3, 10):
        store.save(_snapshot(step))
    assert _names(store) == ["step-00000003", "step-00000010"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["truncated", "altered", "missing"])
def test_a_damaged_newest_is_set_aside_aloud_and_the_one_before_taken(
    store: CheckpointStore, alarms: list[str], name: str, damage: str
) -> None:
    store.save(_snapshot(1))
    newest = store.save(_snapshot(2))
    assert newest is not None
    data = bytearray((newest / name).read_bytes())
    middle = len(data) // 2
    if damage == "missing":
        (newest / name).unlink()
    elif damage == "truncated":
        (newest / name).write_bytes(data[:middle])
    else:
        data[middle] ^= 0xFF
        (newest / name).write_bytes(data)
    found = store.find()
    assert found is not None and found.name == "step-00000001"
    assert len(alarms) == 1
    assert "step-00000002 is damaged" in alarms[0]
    assert (store.folder / "damaged-step-00000002").is_dir()


def test_a_damaged_one_does_not_push_a_good_one_out(store: CheckpointStore) -> None:
    store.save(_snapshot(1))
    store.save(_snapshot(2))
    (store.folder / "step-00000002" / "model.safetensors").write_bytes(b"")
    store.find()
    store.save(_snapshot(3))
    assert _names(store) == ["step-00000001", "step-00000003"]


def test_no_whole_checkpoint_is_an_error_and_no_new_start(store: CheckpointStore) -> None:
    for step in (1, 2):
        store.save(_snapshot(step))
        (store.folder / f"step-{step:08d}" / "state.json").unlink()
    with pytest.raises(CheckpointError, match=r"state.json is missing.*remove the folder"):
        store.find()


def test_leftovers_of_killed_saves_and_removals_are_swept(store: CheckpointStore) -> None:
    store.save(_snapshot(1))
    whole = store.folder / "step-00000001"
    for name in (".step-00000002.abc.tmp", ".step-00000002.abc.old", ".step-00000000.old"):
        shutil.copytree(whole, store.folder / name)
    store.find()
    assert [path.name for path in store.folder.iterdir()] == ["step-00000001"]


def test_a_full_disk_leaves_the_old_checkpoint_and_training_going(
    store: CheckpointStore, alarms: list[str]
) -> None:
    """The limit on file sizes makes the kernel refuse the write itself, as a full disk does."""
    store.save(_snapshot(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        assert store.save(_snapshot(2)) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "step 2 could not be saved" in alarms[0]
    assert [path.name for path in store.folder.iterdir()] == ["step-00000001"]
    assert not find_fault(store.folder / "step-00000001")
    assert store.save(_snapshot(3)) is not None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("call", ["save_file", "write_json", "sha256_file"])
def test_an_error_anywhere_in_a_save_is_an_alarm(
    store: CheckpointStore,
    alarms: list[str],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    call: str,
) -> None:
    store.save(_snapshot(1))

    def fail(*_: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(checkpoint_module, call, fail)
    assert store.save(_snapshot(2)) is None
    monkeypatch.undo()
    assert len(alarms) == 1
    assert _names(store) == ["step-00000001"]


def test_a_folder_that_became_a_file_is_an_alarm(tmp_path: Path, alarms: list[str]) -> None:
    (tmp_path / "checkpoints").write_text("", encoding="utf-8")
    store = CheckpointStore(tmp_path / "checkpoints", keep=2, alarm=alarms.append)
    assert store.save(_snapshot(1)) is None
    assert alarms


def test_a_checkpoint_of_a_later_format_is_refused(store: CheckpointStore) -> None:
    path = store.save(_snapshot(1))
    assert path is not None
    state = json.loads((path / "state.json").read_text(encoding="utf-8"))
    (path / "state.json").write_text(json.dumps(state | {"format": 9}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="does not know"):
        read_snapshot(path)
