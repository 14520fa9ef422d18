"""The loop ends in the same weights and metrics, whatever stopped it on the way."""

from __future__ import annotations

import os
import random
import shutil
import signal
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hanlin.errors import HanlinError, RunError, StoppedError
from hanlin.objectives import Loss, NextToken
from hanlin.records import hold_folder, read_jsonl
from hanlin.training import checkpoint as checkpoint_module
from hanlin.training import read_snapshot


def _metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the metrics without what depends on the clock."""
    records = list(read_jsonl(folder / "metrics.jsonl"))
    for record in records:
        record.pop("time")
    return records


def _events(folder: Path) -> list[str]:
    return [record["event"] for record in read_jsonl(folder / "events.jsonl")]


def _tensors(folder: Path, step: int = 30) -> dict[str, Tensor]:
    snapshot = read_snapshot(folder / "checkpoints" / f"step-{step:08d}")
    return {**snapshot.weights, **snapshot.tensors}


def _assert_same(one: Path, other: Path) -> None:
    ours, theirs = _tensors(one), _tensors(other)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    assert _metrics(one) == _metrics(other)


class _Signals:
    """Batches during which a signal arrives, at given steps."""

    def __init__(self, rows: Any, steps: set[int], number: signal.Signals) -> None:
        self.rows, self.steps, self.number = rows, steps, number

    def batch(self, step: int, rank: int, world_size: int) -> Any:
        if step in self.steps:
            os.kill(os.getpid(), self.number)
        return self.rows.batch(step, rank, world_size)


@pytest.fixture
def whole(small: ModuleType, tmp_path: Path) -> Path:
    """Return the folder of a training that nothing interrupted."""
    small.run(tmp_path / "whole", small.settings())
    return tmp_path / "whole"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_same_call_goes_on_to_the_same_end(
    small: ModuleType, tmp_path: Path, whole: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "stopped"
    stopping = _Signals(small.CountingRows(), {6, 16}, number)
    for _ in range(2):
        with pytest.raises(StoppedError, match=f"{number.name} after step .* state is saved"):
            small.run(folder, small.settings(), batches=stopping)
        stopping.steps.discard(min(stopping.steps))
    result = small.run(folder, small.settings())
    assert result.resumed_from == 17
    assert StoppedError.exit_code == 3
    assert _events(folder) == ["started", "stopped", "resumed", "stopped", "resumed", "finished"]
    _assert_same(folder, whole)


def test_a_caller_may_halt_after_a_step_and_go_on_to_the_same_end(
    small: ModuleType, tmp_path: Path, whole: Path
) -> None:
    folder = tmp_path / "halted"
    with pytest.raises(StoppedError, match="by its caller after step 7 of"):
        small.run(folder, small.settings(), halt=7)
    assert small.run(folder, small.settings()).resumed_from == 7
    _assert_same(folder, whole)


def test_a_second_signal_stops_at_once(small: ModuleType, tmp_path: Path) -> None:
    class Twice(_Signals):
        def batch(self, step: int, rank: int, world_size: int) -> Any:
            super().batch(step, rank, world_size)
            return super().batch(step, rank, world_size)

    # A process in the background may have been started with this signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            small.run(
                tmp_path, small.settings(), batches=Twice(small.CountingRows(), {7}, signal.SIGINT)
            )
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert sorted(path.name for path in (tmp_path / "checkpoints").glob("step-*")) == [
        "step-00000005"
    ]


def test_a_run_resumed_from_any_checkpoint_ends_the_same(
    small: ModuleType, tmp_path: Path, whole: Path
) -> None:
    folder = tmp_path / "resumed"
    shutil.copytree(whole, folder)
    shutil.rmtree(folder / "checkpoints" / "step-00000030")
    assert small.run(folder, small.settings()).resumed_from == 25
    _assert_same(folder, whole)


def test_evaluation_and_samples_do_not_disturb_training(
    small: ModuleType, tmp_path: Path, whole: Path
) -> None:
    def wasteful(model: nn.Module, step: int) -> dict[str, Any]:
        assert not model.training
        torch.rand(step), np.random.random(step), random.random()
        return {}

    small.run(tmp_path / "b", small.settings(eval_every=4), evaluate=wasteful, sample=None)
    ours, theirs = _tensors(tmp_path / "b"), _tensors(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_training_leaves_the_callers_chance_alone(small: ModuleType, tmp_path: Path) -> None:
    torch.manual_seed(4)
    np.random.seed(4)
    random.seed(4)
    expected = torch.rand(1).item(), np.random.random(), random.random()
    torch.manual_seed(4)
    np.random.seed(4)
    random.seed(4)
    small.run(tmp_path, small.settings(steps=2))
    assert (torch.rand(1).item(), np.random.random(), random.random()) == expected


def test_a_finished_training_is_returned_and_not_repeated(small: ModuleType, whole: Path) -> None:
    before = _metrics(whole)
    model = small.tiny_model(seed=9)
    result = small.run(whole, small.settings(), model=model)
    assert (result.steps, result.resumed_from, result.tokens) == (30, 30, 30 * 128)
    assert result.evaluation["step"] == 30
    assert torch.equal(model.norm.weight, _tensors(whole)["norm.weight"])
    assert _metrics(whole) == before


def test_metrics_say_what_a_curve_needs(whole: Path) -> None:
    records = list(read_jsonl(whole / "metrics.jsonl"))
    first = records[0]
    assert first["kind"] == "train" and first["step"] == 3 and first["tokens"] == 3 * 128
    assert first["bits_per_byte"] == pytest.approx(first["loss"] / np.log(2) / 3.0)
    assert {"learning_rate", "gradient_norm", "skipped"} < first.keys()
    assert {"elapsed", "tokens_per_second", "mfu"} == first["time"].keys()
    steps = [record["step"] for record in records if record["kind"] == "evaluation"]
    assert steps == [10, 20, 30]
    assert [record["step"] for record in records if record["kind"] == "sample"] == [15, 30]


def test_the_metrics_of_other_stages_are_left_alone(small: ModuleType, tmp_path: Path) -> None:
    shared = tmp_path / "metrics.jsonl"
    for stage in ("one", "two"):
        small.run(tmp_path / stage, small.settings(), stage=stage, metrics=shared)
    before = shared.read_bytes()
    shutil.rmtree(tmp_path / "two")
    small.run(tmp_path / "two", small.settings(steps=3), stage="two", metrics=shared)
    lines = before.splitlines()[: len(before.splitlines()) // 2]
    assert shared.read_bytes().splitlines()[: len(lines)] == lines
    assert [r["step"] for r in read_jsonl(shared) if r["stage"] == "two"] == [3, 3, 3]


def test_a_changed_fingerprint_is_refused_with_the_change(
    small: ModuleType, tmp_path: Path
) -> None:
    prints = {"corpus": "aaaa", "model": {"layers": 1}}
    small.run(tmp_path, small.settings(steps=5), fingerprints=prints)
    with pytest.raises(RunError, match=r"model\.layers: 1 then, 2 now") as caught:
        small.run(tmp_path, small.settings(steps=5), fingerprints=prints | {"model": {"layers": 2}})
    assert "corpus" not in str(caught.value)
    with pytest.raises(RunError, match=r"training\.optimizer\.learning_rate: 0\.02 then, 0\.5"):
        changed = small.settings(steps=5, optimizer={"learning_rate": 0.5})
        small.run(tmp_path, changed, fingerprints=prints)
    with pytest.raises(RunError, match="seed: 3 then, 4 now"):
        small.run(tmp_path, small.settings(steps=5), fingerprints=prints, seed=4)


def test_intervals_may_change_without_a_new_start(small: ModuleType, tmp_path: Path) -> None:
    small.run(tmp_path, small.settings(steps=5))
    small.run(tmp_path, small.settings(steps=5, eval_every=2, checkpoint={"every_steps": 1}))


def test_another_number_of_threads_is_said(
    small: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small.run(tmp_path, small.settings(steps=5))
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        small.run(tmp_path, small.settings(steps=5))
    finally:
        torch.set_num_threads(before)
    assert f"threads: {before} then, {before + 1} now" in capsys.readouterr().err
    assert "alarm" in _events(tmp_path)


class _Spoilt(NextToken):
    """A loss that is no number in some steps, which it counts itself."""

    def __init__(self, bad: set[int]) -> None:
        super().__init__()
        self.bad, self.step = bad, -1

    def loss(self, model: nn.Module, prepared: Any) -> Loss:
        self.step += 1
        good = super().loss(model, prepared)
        factor = float("nan") if self.step in self.bad else 1.0
        return Loss(good.sum * factor, good.weight, good.parts)


def test_a_skipped_step_is_counted_and_said(
    small: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = small.run(tmp_path, small.settings(), objective=_Spoilt({4, 20}))
    assert result.skipped == 2
    assert result.tokens == 28 * 128
    assert "Step 5 was skipped: its loss is nan" in capsys.readouterr().err
    assert [r["skipped"] for r in _metrics(tmp_path) if r["kind"] == "train"][1::6] == [1, 2]


def test_too_many_skipped_steps_stop_with_the_last_good_state_saved(
    small: ModuleType, tmp_path: Path
) -> None:
    config = small.settings(max_skipped=3)
    with pytest.raises(HanlinError, match="3 steps in a row"):
        small.run(tmp_path, config, objective=_Spoilt(set(range(11, 99))))
    saved, last_good = _tensors(tmp_path, 14), _tensors(tmp_path, 10)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in saved.values())
    assert not torch.equal(saved["norm.weight"], last_good["norm.weight"])
    assert small.run(tmp_path, config).resumed_from == 14


def test_a_full_disk_does_not_stop_training(
    small: ModuleType,
    tmp_path: Path,
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    original, calls = checkpoint_module.save_file, []

    def full_for_a_while(tensors: dict[str, Tensor], path: Path) -> None:
        calls.append(path)
        if 3 <= len(calls) <= 5:
            raise OSError(28, "No space left on device")
        original(tensors, path)

    monkeypatch.setattr(checkpoint_module, "save_file", full_for_a_while)
    folder = tmp_path / "full"
    result = small.run(folder, small.settings())
    said = capsys.readouterr().err
    assert said.count("No space left on device") == 3
    assert result.checkpoint is not None
    _assert_same(folder, whole)


def test_a_damaged_checkpoint_costs_one_interval_and_nothing_else(
    small: ModuleType, tmp_path: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(whole, folder)
    (folder / "checkpoints" / "step-00000030" / "model.safetensors").write_bytes(b"short")
    assert small.run(folder, small.settings()).resumed_from == 25
    assert "step-00000030 is damaged" in capsys.readouterr().err
    _assert_same(folder, whole)


def test_a_lost_run_comes_back_from_its_second_place(
    small: ModuleType, tmp_path: Path, whole: Path
) -> None:
    folder = tmp_path / "lost"
    config = small.settings(checkpoint={"every_steps": 5, "backup": str(tmp_path / "second")})
    stopping = _Signals(small.CountingRows(), {12}, signal.SIGTERM)
    with pytest.raises(StoppedError):
        small.run(folder, config, batches=stopping)
    shutil.rmtree(folder / "checkpoints")
    assert small.run(folder, config).resumed_from == 13
    _assert_same(folder, whole)


def test_a_second_process_is_refused(small: ModuleType, tmp_path: Path) -> None:
    with hold_folder(tmp_path / "checkpoints"), pytest.raises(RunError, match="in use by"):
        small.run(tmp_path, small.settings())


def test_the_model_is_in_fp32_at_the_end_of_bf16_training(
    small: ModuleType, tmp_path: Path
) -> None:
    model = small.tiny_model()
    small.run(tmp_path, small.settings(steps=5, precision="bf16"), model=model)
    saved = _tensors(tmp_path, 5)
    for name, parameter in model.named_parameters():
        assert parameter.dtype == torch.float32
        assert torch.equal(parameter.detach(), saved[name])


def test_a_signal_during_a_step_stops_after_that_step(small: ModuleType, tmp_path: Path) -> None:
    class Interrupted(NextToken):
        def loss(self, model: nn.Module, prepared: Any) -> Loss:
            os.kill(os.getpid(), signal.SIGTERM)
            return super().loss(model, prepared)

    with pytest.raises(StoppedError, match="after step 1 of 30"):
        small.run(tmp_path, small.settings(), objective=Interrupted())


def _falling(model: nn.Module, step: int) -> dict[str, Any]:
    """Evaluate to what reaches 1.0 at the steps 6, 12 and 15, and stays there."""
    reached = step == 6 or step >= 12
    return {"zh": {"bits_per_byte": 0.9 if reached else 1.1}}


_UNTIL = {"metric": "bits_per_byte.zh", "level": 1.0, "times": 3}


def test_training_ends_once_a_level_is_reached_often_enough(
    small: ModuleType, tmp_path: Path
) -> None:
    settings = small.settings(eval_every=3, log_every=4, until=_UNTIL)
    result = small.run(tmp_path, settings, evaluate=_falling)
    assert (result.steps, result.tokens) == (18, 18 * 128)
    assert result.checkpoint is not None and result.checkpoint.name == "step-00000018"
    assert _events(tmp_path) == ["started", "level reached", "finished"]
    records = [(r["kind"], r["step"]) for r in _metrics(tmp_path)]
    assert records[-3:] == [("evaluation", 18), ("train", 18), ("sample", 18)]
    again = small.run(tmp_path, settings, evaluate=_falling)
    assert (again.steps, again.resumed_from) == (18, 18)


@pytest.mark.parametrize("kept", [5, 15])
def test_a_training_with_a_level_that_was_stopped_ends_where_it_would_have(
    small: ModuleType, tmp_path: Path, kept: int
) -> None:
    settings = small.settings(eval_every=3, until=_UNTIL, checkpoint={"every_steps": 5, "keep": 9})
    for name in ("whole", "resumed"):
        small.run(tmp_path / name, settings, evaluate=_falling)
    for path in (tmp_path / "resumed/checkpoints").glob("step-*"):
        if int(path.name.removeprefix("step-")) > kept:
            shutil.rmtree(path)
    result = small.run(tmp_path / "resumed", settings, evaluate=_falling)
    assert (result.resumed_from, result.steps) == (kept, 18)
    ours, theirs = (_tensors(tmp_path / name, 18) for name in ("whole", "resumed"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert _metrics(tmp_path / "whole") == _metrics(tmp_path / "resumed")


def test_a_metric_that_is_not_measured_is_refused_with_those_that_are(
    small: ModuleType, tmp_path: Path
) -> None:
    until = _UNTIL | {"metric": "bits_per_byte.en"}
    with pytest.raises(RunError, match=r"'bits_per_byte\.en'; they measure bits_per_byte\.zh"):
        small.run(tmp_path, small.settings(until=until), evaluate=_falling)


def test_when_to_evaluate_may_not_change_where_it_says_when_to_end(
    small: ModuleType, tmp_path: Path
) -> None:
    small.run(tmp_path, small.settings(eval_every=3, until=_UNTIL), evaluate=_falling)
    with pytest.raises(RunError, match=r"training\.eval_every: 3 then, 5 now"):
        small.run(tmp_path, small.settings(eval_every=5, until=_UNTIL), evaluate=_falling)
