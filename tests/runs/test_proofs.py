"""Claims are tested on several seeds against controls, priced first, and gone on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import hanlin
from hanlin.cli import main
from hanlin.config import load_recipe
from hanlin.errors import HanlinError, RecipeError, RunError, UserError
from hanlin.evaluation import at_most
from hanlin.records import hold_folder, newest_claims, read_jsonl, read_ledger
from hanlin.runs import Console, RunFolder
from hanlin.runs.proofs import Arm, Claim, Proof, prepare_proof
from hanlin.runs.proofs.figures import figure_at, keys_at, mean_at
from hanlin.runs.proofs.judging import ArmOutcome, describe_flops
from hanlin.runs.proofs.trial import Measured

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory, tiny_run: Path, tiny_recipe: Path) -> Path:
    """A copy of the tiny run whose only stage was proven with two seeds."""
    run = tmp_path_factory.mktemp("proofs") / "tiny"
    shutil.copytree(tiny_run, run)
    arguments = ["prove", str(tiny_recipe), "--run", str(run), "--stage", "base", "--seeds", "2"]
    assert main([*arguments, "--yes", "--json"]) == 4
    return run


def _claims(run: Path) -> dict[str, Any]:
    return {entry.claim: entry for entry in newest_claims(read_ledger(run / "ledger.jsonl"))}


def test_a_run_writes_what_it_measured_without_a_verdict(
    tiny_run: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    before = read_ledger(run / "ledger.jsonl")
    assert {entry.verdict for entry in before} == {"not tested"}
    assert {entry.metric.split(".")[2] for entry in before} == {"zh", "en"}
    hanlin.run(tiny_recipe, folder=run, quiet=True)
    assert read_ledger(run / "ledger.jsonl") == before


def test_a_proof_judges_each_claim_on_all_its_seeds(proven: Path) -> None:
    claims = _claims(proven)
    muon = claims[
        "After the same tokens, muon predicts held-out English text better than AdamW at the "
        "best rate tried"
    ]
    counting = claims["The model predicts held-out English text better than the n-gram baseline"]
    assert counting.verdict == "failed"  # eight steps teach less than counting
    gain = sum(muon.control_values) / 2 - sum(muon.values) / 2
    assert muon.verdict == ("held" if gain > 2 * muon.spread else "failed")
    assert len(muon.values) == len(muon.control_values) == len(muon.seeds) == 2
    assert muon.spread > 0
    assert muon.flops > 0
    assert "--stage base --seeds 2" in muon.command


def test_the_same_claim_stands_untested_before_and_judged_after(proven: Path) -> None:
    sentence = "The model predicts held-out English text better than the n-gram baseline"
    verdicts = [e.verdict for e in read_ledger(proven / "ledger.jsonl") if e.claim == sentence]
    assert verdicts == ["not tested", "failed"]


def test_arms_share_the_corpus_and_leave_the_run_alone(proven: Path, tiny_run: Path) -> None:
    place = proven / "proofs" / "base"
    assert {path.name for path in place.iterdir()} == {
        *("table.md", "recipe-s1", "recipe-s2"),
        *(f"adamw-s1-r{rate}" for rate in ("1", "3", "10", "30")),
        *(path.name for path in place.glob("adamw-s2-r*")),
    }
    assert len(list(place.glob("adamw-s2-r*"))) == 1
    for trial in (path for path in place.iterdir() if path.is_dir()):
        assert not (trial / "corpus").exists()
        assert not list(trial.glob("stages/*/checkpoints"))
    ours, theirs = proven / "model/model.safetensors", tiny_run / "model/model.safetensors"
    assert ours.read_bytes() == theirs.read_bytes()


def test_the_arm_with_the_runs_own_seed_is_the_runs_own_stage(proven: Path) -> None:
    release = "stages/1-base/model/model.safetensors"
    arm = proven / "proofs/base/recipe-s1" / release
    assert arm.read_bytes() == (proven / release).read_bytes()


def test_the_rate_is_chosen_on_validation_text(proven: Path) -> None:
    place = proven / "proofs" / "base"
    figures = {
        path.name.rsplit("-", 1)[1]: json.loads((path / "stages/1-base/result.json").read_text())
        for path in place.glob("adamw-s1-r*")
    }
    scores = {r: mean_at(f, "evaluation.validation.*.bits_per_byte") for r, f in figures.items()}
    best = min(scores, key=lambda rate: scores[rate])
    assert [path.name for path in place.glob("adamw-s2-*")] == [f"adamw-s2-{best}"]


def test_the_table_says_what_was_spent(proven: Path) -> None:
    table = (proven / "proofs/base/table.md").read_text(encoding="utf-8")
    assert "All arms spent the same FLOPs" in table
    assert "| recipe | as given |" in table
    assert "| failed |" in table


def test_a_finished_proof_is_not_run_again(
    proven: Path, tiny_recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (proven / "ledger.jsonl").read_bytes()
    times = {p: p.stat().st_mtime_ns for p in proven.glob("proofs/base/*/stages/*/result.json")}
    arguments = ["prove", str(tiny_recipe), "--run", str(proven), "--stage", "base", "--seeds", "2"]
    assert main([*arguments, "--json"]) == 4  # nothing is left, so nothing is asked
    assert json.loads(capsys.readouterr().out)["price"]["trials"] == 0
    assert (proven / "ledger.jsonl").read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_stopped_proof_goes_on_with_what_is_left(
    proven: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "tiny"
    shutil.copytree(proven, run)
    shutil.rmtree(run / "proofs/base/recipe-s2")
    kept = (run / "proofs/base/recipe-s1/stages/1-base/result.json").stat().st_mtime_ns
    proof = prepare_proof(
        load_recipe(tiny_recipe), RunFolder(run), base=Path(), stage="base", seeds=2
    )
    assert (proof.price.trials, proof.price.finished) == (1, 6)
    outcome = proof.run(QUIET)
    assert (run / "proofs/base/recipe-s1/stages/1-base/result.json").stat().st_mtime_ns == kept
    assert outcome.table == (proven / "proofs/base/table.md").read_text(encoding="utf-8")


def test_a_trial_that_was_stopped_goes_on_from_its_checkpoint(
    proven: Path, tiny_run: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "tiny"
    shutil.copytree(proven, run)
    place = run / "proofs/base/recipe-s1"
    released = (place / "stages/1-base/model/model.safetensors").read_bytes()
    shutil.rmtree(place)
    saved = "stages/1-base/checkpoints/step-00000004"
    shutil.copytree(tiny_run / saved, place / saved)
    proof = prepare_proof(
        load_recipe(tiny_recipe), RunFolder(run), base=Path(), stage="base", seeds=2
    )
    outcome = proof.run(QUIET)
    resumed = [e for e in read_jsonl(place / "events.jsonl") if e["event"] == "resumed"]
    assert [event["step"] for event in resumed] == [4]
    assert (place / "stages/1-base/model/model.safetensors").read_bytes() == released
    assert outcome.table == (proven / "proofs/base/table.md").read_text(encoding="utf-8")


def test_the_price_is_that_of_the_runs_own_stage(tiny_run: Path, tiny_recipe: Path) -> None:
    proof = prepare_proof(
        load_recipe(tiny_recipe), RunFolder(tiny_run), base=Path(), stage="base", seeds=3
    )
    result = json.loads((tiny_run / "stages/1-base/result.json").read_text())
    trials = 3 + 4 + 2
    assert proof.price.trials == trials
    assert proof.price.steps == 8 * trials
    assert proof.price.flops == pytest.approx(result["flops"] * trials, rel=0.01)
    seconds = result["seconds"] + result["measuring_seconds"]
    assert proof.price.seconds == pytest.approx(seconds * trials, rel=0.01)


def test_a_dry_run_says_the_price_and_writes_nothing(
    tiny_run: Path, tiny_recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["prove", str(tiny_recipe), "--run", str(tiny_run), "--stage", "base"]
    assert main([*arguments, "--dry-run"]) == 0
    assert "9 trainings: 72 steps" in capsys.readouterr().out
    assert not (tiny_run / "proofs").exists()


def test_nothing_begins_where_nobody_can_be_asked(tiny_run: Path, tiny_recipe: Path) -> None:
    arguments = ["prove", str(tiny_recipe), "--run", str(tiny_run), "--stage", "base"]
    assert main(arguments) == 2
    assert not (tiny_run / "proofs").exists()


@pytest.mark.parametrize(
    ("stage", "overrides", "error", "message"),
    [
        ("other", [], RecipeError, "no such stage"),
        ("base", ["model.num_layers=2"], RunError, r"model\.num_layers: 1 before, 2 now"),
        ("base", ["evaluation.ngram_order=0"], None, ""),
    ],
)
def test_only_what_the_run_has_finished_is_proven(
    tiny_run: Path,
    tiny_recipe: Path,
    stage: str,
    overrides: list[str],
    error: type[Exception] | None,
    message: str,
) -> None:
    recipe = load_recipe(tiny_recipe, overrides)

    def prepare() -> Any:
        return prepare_proof(recipe, RunFolder(tiny_run), base=Path(), stage=stage, seeds=2)

    if error is None:
        assert len(prepare().proof.claims) == 1
        return
    with pytest.raises(error, match=message):
        prepare()


def test_a_run_that_is_not_there_or_not_finished_is_named(
    tiny_run: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    recipe = load_recipe(tiny_recipe)
    with pytest.raises(RunError, match="is not a run"):
        prepare_proof(recipe, RunFolder(tmp_path), base=Path(), stage="base")
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    (run / "stages/1-base/result.json").unlink()
    with pytest.raises(RunError, match="is not finished"):
        prepare_proof(recipe, RunFolder(run), base=Path(), stage="base")
    with pytest.raises(UserError, match="--seeds 0"):
        prepare_proof(recipe, RunFolder(tiny_run), base=Path(), stage="base", seeds=0)


def test_a_run_that_is_in_use_is_left_alone(tiny_run: Path, tiny_recipe: Path) -> None:
    proof = prepare_proof(
        load_recipe(tiny_recipe), RunFolder(tiny_run), base=Path(), stage="base", seeds=1
    )
    with hold_folder(tiny_run), pytest.raises(RunError, match="in use"):
        proof.run(QUIET)


def test_an_arm_of_two_stages_starts_from_the_runs_release(
    proven: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "tiny"
    shutil.copytree(proven, run)
    proof = prepare_proof(
        load_recipe(tiny_recipe), RunFolder(run), base=Path(), stage="base", seeds=1
    )
    stage = proof.stage
    short = stage.learning.model_copy(update={"steps": 2})
    first = stage.model_copy(update={"name": "one", "from_": "base", "training": short})
    second = stage.model_copy(update={"name": "two", "from_": "one", "training": short})
    arm = Arm(name="long", stages=(first, second))
    claim = Claim(
        sentence="Two stages spend more",
        arm="long",
        control="recipe",
        figure="tokens",
        rule=at_most(0.3),
    )
    mine = Proof(arms=(Arm(name="recipe", stages=(stage,)), arm), claims=(claim,))
    last = run / "proofs/base/long-s1/stages/2-two/result.json"
    outcome = type(proof)(**{**vars(proof), "proof": mine}).run(QUIET)
    assert outcome.entries[0].values == (json.loads(last.read_text())["tokens"],)
    assert outcome.entries[0].verdict == "held"
    assert "NOT spend the same" in outcome.flops
    recipe = (run / "proofs/base/long-s1/recipe.toml").read_text(encoding="utf-8")
    assert f'from = "{run}/stages/1-base/model"' in recipe
    lines = read_jsonl(run / "proofs/base/long-s1/metrics.jsonl")
    assert {line["stage"] for line in lines} == {"one", "two"}


def test_figures_are_found_by_path() -> None:
    results = [{"test": {"zh": {"x": 1}, "en": {"x": 3}}}, {"test": {"en": {"x": None}}}]
    assert keys_at(results, "test.*.x") == ["en"]
    assert mean_at(results[0], "test.*.x") == 2
    assert figure_at(results[1], "test.en.x") != figure_at(results[1], "test.en.x")  # NaN
    with pytest.raises(HanlinError, match="there is no 'fr' among zh, en"):
        figure_at(results[0], "test.fr.x")


def test_unequal_operations_are_said() -> None:
    def arm(flops: float) -> ArmOutcome:
        return ArmOutcome(1.0, (1.0,), (Measured({}, flops, 1),))

    assert "the same FLOPs" in describe_flops({"a": arm(100.0), "b": arm(101.0)})
    assert "b spent 1.50 times what a did" in describe_flops({"a": arm(100.0), "b": arm(150.0)})
