"""The checkpoint stage: backed up, restored elsewhere, and trained on bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hanlin.errors import RecipeError
from hanlin.records import read_ledger, sha256_file
from hanlin.training import Backup
from stage_runs import read_result, run_recipe, with_stages

STAGE = """
[[stages]]
name = "saved"
kind = "checkpoint"
from = "base"
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_run: Path, tiny_text: str) -> Path:
    """The tiny run with a checkpoint stage after it."""
    folder = tmp_path_factory.mktemp("checkpoint")
    return run_recipe(with_stages(tiny_run, tiny_text, folder, STAGE))


def _result(run: Path) -> dict[str, Any]:
    return read_result(run, "2-saved")


def test_what_was_saved_comes_back_and_trains_on_bit_for_bit(run: Path) -> None:
    result = _result(run)
    assert result["checkpoints"] == ["step-00000004", "step-00000008"]
    assert result["files"] == 2 * 4
    assert result["files_that_differ"] == result["tensors_that_differ"] == 0
    assert result["step"] == 4
    assert result["tensors"] > 20


def test_the_comparison_can_fail(run: Path) -> None:
    result = _result(run)
    assert result["damage_is_noticed"] is True
    assert result["tensors_that_differ_where_one_weight_was_changed"] > 0


def test_both_claims_stand_in_the_ledger(run: Path) -> None:
    entries = [e for e in read_ledger(run / "ledger.jsonl") if e.stage == "saved"]
    assert [entry.verdict for entry in entries] == ["held", "held"]
    assert all(entry.control_values[0] > 0 for entry in entries)


def test_the_release_is_passed_on_and_the_run_left_alone(run: Path, tiny_run: Path) -> None:
    first, last = (run / "stages" / name / "model" for name in ("1-base", "2-saved"))
    names = sorted(path.name for path in first.iterdir())
    assert sorted(path.name for path in last.iterdir()) == names
    assert all(sha256_file(first / name) == sha256_file(last / name) for name in names)
    for path in (tiny_run / "stages/1-base/checkpoints").glob("step-*/*"):
        assert sha256_file(run / path.relative_to(tiny_run)) == sha256_file(path)
    assert not (run / "stages/2-saved/restored").exists()
    assert (run / "metrics.jsonl").read_bytes() == (tiny_run / "metrics.jsonl").read_bytes()


def test_a_place_may_be_named(tiny_run: Path, tiny_text: str, tmp_path: Path) -> None:
    more = f'checkpoint = {{ place = "{tmp_path}/elsewhere" }}\n'
    recipe = with_stages(tiny_run, tiny_text, tmp_path, STAGE + more)
    run = run_recipe(recipe)
    place = f"{tmp_path}/elsewhere/tiny/base"
    assert _result(run)["place"] == place
    assert Backup(place).names() == ["step-00000004", "step-00000008"]


def test_it_may_start_from_a_stage_that_learns_nothing(
    tiny_run: Path, tiny_text: str, tmp_path: Path
) -> None:
    again = STAGE.replace('"saved"', '"again"').replace('"base"', '"saved"')
    run = run_recipe(with_stages(tiny_run, tiny_text, tmp_path, STAGE, again))
    result = read_result(run, "3-again")
    assert result["checkpoints"] == _result(run)["checkpoints"]
    assert result["tensors_that_differ"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("every_steps = 4", "every_steps = 8"), "from before its last step"),
        (('from = "base"', 'from = "{run}/model"'), "which no stage of this recipe learnt"),
    ],
)
def test_a_stage_without_a_checkpoint_to_prove_is_refused(
    tiny_run: Path, tiny_text: str, tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    recipe = with_stages(tiny_run, tiny_text, tmp_path, STAGE)
    old, new = change
    recipe.write_text(recipe.read_text().replace(old, new.format(run=tiny_run)))
    with pytest.raises(RecipeError, match=message):
        run_recipe(recipe)
