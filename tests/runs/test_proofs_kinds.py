"""The proofs of each kind: which arms they have, what these cost, and which claims hold."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import hanlin
from hanlin.config import WorldConfig, load_recipe
from hanlin.errors import RecipeError
from hanlin.evaluation import at_most
from hanlin.records import LedgerEntry
from hanlin.runs import Console, RunFolder
from hanlin.runs.proofs import Arm, Claim, Proof, ProofRun, prepare_proof
from hanlin.runs.proofs.base import merge
from hanlin.runs.proofs.judging import ArmOutcome, describe_flops, judge_claims
from hanlin.runs.proofs.registry import proof_of
from hanlin.runs.proofs.subject import Subject
from hanlin.runs.proofs.trial import Measured, Trial
from hanlin.text.world import generate_story, write_stories

EXAMPLES = Path(__file__).parents[2] / "examples" / "proofs"
KINDS = {"distil": ["student"], "language": ["fluent"], "expand": ["grown"]}
KINDS |= {"data": ["base", "later"], "task": ["tasks"]}

_TRAINING = (
    "training = { steps = 4, batch_tokens = 256, eval_every = 4, eval_tokens = 300, "
    "sample_every = 0, checkpoint = { every_steps = 4 } }\n"
)
STAGES = f"""
[[stages]]
name = "student"
kind = "distil"
from = "base"
teachers = ["base"]
model = {{ hidden_size = 64, num_layers = 2 }}
distil = {{ hint = 0.1, disagreement = 0.1, until_share = 0.5 }}
{_TRAINING}
[[stages]]
name = "small"
kind = "distil"
teachers = ["student"]
distil = {{ schedule = "constant", until_share = 1.0 }}
{_TRAINING}
[[stages]]
name = "fluent"
kind = "language"
from = "base"
language = {{ policy = 0.3, kl = 0.0, group = 2, prefix_tokens = 8, new_tokens = 12 }}
{_TRAINING}
[[stages]]
name = "quiet"
kind = "language"
from = "base"
language = {{ prefix_tokens = 8, new_tokens = 12 }}
{_TRAINING}
[[stages]]
name = "later"
kind = "language"
from = "base"
parts = ["late"]
replay = {{ share = 0.25, parts = ["main"] }}
augment = {{ reverse = 0.25, until = 0.5 }}
{_TRAINING.replace("{ steps", '{ optimizer = { kind = "adamw" }, steps')}
[[stages]]
name = "grown"
kind = "expand"
from = "base"
parts = ["late"]
{_TRAINING}
"""
LATE = """
[[corpus.sources]]
name = "late"
world = { stories = 120, seed = 3, facts = 3 }
part = "late"
"""
FIGURES: dict[str, Any] = {"inputs": {}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> tuple[Path, Path]:
    """Return a recipe with a stage of each kind that learns, and its run."""
    folder = tmp_path_factory.mktemp("kinds")
    text = tiny_text.replace("stories = 300", "stories = 120").replace("steps = 8", "steps = 4")
    text = text.replace("[corpus.cleaning]", f"{LATE}\n[corpus.cleaning]")
    head, tail = text.split("[evaluation]")
    tail = tail.replace("ngram_order = 3", "ngram_order = 0").replace("samples = 4", "samples = 2")
    (folder / "recipe.toml").write_text(f"{head}{STAGES}[evaluation]{tail}", encoding="utf-8")
    hanlin.run(folder / "recipe.toml", folder=folder / "run", quiet=True)
    return folder / "recipe.toml", folder / "run"


def _prepare(finished: tuple[Path, Path], stage: str, seeds: int = 2) -> ProofRun:
    recipe, run = finished
    return prepare_proof(load_recipe(recipe), RunFolder(run), base=Path(), stage=stage, seeds=seeds)


def _arms(finished: tuple[Path, Path], stage: str) -> dict[str, Arm]:
    return {arm.name: arm for arm in _prepare(finished, stage).proof.arms}


def _figures(path: str, value: Any) -> dict[str, Any]:
    """Return figures with one value at a dotted path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for key, value in other.items():
        known = both.get(key)
        both[key] = _merged(known, value) if isinstance(known, Mapping) else value
    return both


def _judge(
    run: Path, proof: ProofRun, tmp_path: Path, figures: Mapping[str, Mapping[str, float]]
) -> dict[str, LedgerEntry]:
    """Judge a proof by hand-made results: figures by arm and path, a little more with each seed."""
    arms = {}
    for arm in proof.proof.arms:
        measured = []
        for seed in proof.seeds:
            trial = Trial(RunFolder(tmp_path), proof.recipe, proof.stage, arm, seed, 1.0)
            result = dict(FIGURES)
            for path, value in figures.get(arm.name, {}).items():
                result = _merged(result, _figures(path, value + 1e-4 * seed))
            place = trial.folder.stage(1, arm.stages[-1].name)
            place.mkdir(parents=True)
            (place / "result.json").write_text(json.dumps(result), encoding="utf-8")
            measured.append(trial.measured())
        arms[arm.name] = ArmOutcome(1.0, arm.rates, measured)
    wanted = {path for each in figures.values() for path in each}
    claims = [claim for claim in proof.proof.claims if claim.figure.replace("*", "zh") in wanted]
    entries = judge_claims(claims, arms, stage="x", seeds=proof.seeds, command="")
    return {entry.claim: entry for entry in entries}


def test_a_grown_student_and_its_controls_spend_the_same_in_all(
    finished: tuple[Path, Path],
) -> None:
    arms = _arms(finished, "student")
    assert set(arms) == {
        *("scratch", "distilled", "grown", "recipe", "recipe at 75%", "grown at 75%"),
        *("without diversity", "without hints"),
    }
    run = finished[1]
    student, teacher = (
        json.loads((run / f"stages/{name}/result.json").read_text())["flops"]
        for name in ("2-student", "1-base")
    )
    assert arms["recipe"].spent == teacher
    assert arms["scratch"].spent == 0
    for arm in arms.values():
        assert len(arm.rates) >= 3
        step = arm.expected / arm.stages[0].learning.num_steps
        wanted = arm.share * (student + teacher)
        assert abs(arm.spent + arm.expected - wanted) <= 0.51 * step
    assert arms["grown"].stages[0].teachers == ()
    assert arms["distilled"].stages[0].from_ == ""
    assert arms["distilled"].stages[0].distil.hint == 0
    assert arms["scratch"].stages[0].model.hidden_size == 64


def test_the_expected_operations_are_those_that_an_arm_takes(finished: tuple[Path, Path]) -> None:
    proof = _prepare(finished, "student", seeds=1)
    few = tuple(
        Arm(**{**{f: getattr(arm, f) for f in Arm.__slots__}, "rates": (1.0,)})
        for arm in proof.proof.arms
        if arm.name in ("distilled", "grown")
    )
    claim = Claim(sentence="x", arm="distilled", control="grown", figure="flops", rule=at_most(9.0))
    mine = type(proof)(**{**vars(proof), "proof": Proof(arms=few, claims=(claim,))})
    mine.run(Console(quiet=True))
    for arm in few:
        trial = Trial(proof.run_folder, proof.recipe, proof.stage, arm, proof.seeds[0], 1.0)
        assert trial.measured().flops == pytest.approx(arm.spent + arm.expected, rel=0.02)


@pytest.mark.parametrize(("ours", "verdict"), [(1.0, "held"), (1.2, "failed")])
def test_a_student_is_judged_against_its_teacher_and_its_controls(
    finished: tuple[Path, Path], tmp_path: Path, ours: float, verdict: str
) -> None:
    bits = "evaluation.test.zh.bits_per_byte"
    proof = _prepare(finished, "student")
    figures = {arm.name: {bits: 1.1} for arm in proof.proof.arms}
    figures["recipe"] = {bits: ours, "teacher.zh.bits_per_byte": 1.1}
    figures |= {name: {bits: ours} for name in ("recipe at 75%", "grown at 75%")}
    claims = _judge(finished[1], proof, tmp_path, figures)
    assert len(claims) == len(proof.proof.claims) == 8
    assert {entry.verdict for entry in claims.values()} == {verdict}
    teacher = claims["The student predicts held-out Chinese text better than its best teacher"]
    assert teacher.control == "its best teacher"


def test_a_small_student_of_a_large_teacher_takes_as_many_steps_without_it(
    finished: tuple[Path, Path],
) -> None:
    arms = _arms(finished, "small")
    assert set(arms) == {"recipe", "scratch"}
    assert arms["scratch"].stages[0].learning.num_steps == 4
    assert arms["scratch"].spent == 0


def test_sampling_is_paid_for_by_further_steps_of_the_control(finished: tuple[Path, Path]) -> None:
    arms = _arms(finished, "fluent")
    assert set(arms) == {
        *("recipe", "cross-entropy alone", "unlikelihood alone"),
        *("random reward", "constant reward"),
    }
    plain, unlikely = arms["cross-entropy alone"], arms["unlikelihood alone"]
    assert plain.stages[0].language is None
    steps = [arm.stages[0].learning.num_steps for arm in (arms["recipe"], unlikely, plain)]
    assert steps == sorted(steps)
    assert steps[0] < steps[2]
    assert unlikely.stages[0].language.policy == 0
    rewards = arms["random reward"].stages[0].language.rewards.model_dump()
    assert {name for name, weight in rewards.items() if weight} == {"random"}


@pytest.mark.parametrize("better", [True, False])
def test_repetition_bits_and_rewards_are_judged_by_their_rules(
    finished: tuple[Path, Path], tmp_path: Path, better: bool
) -> None:
    greedy, bits = "evaluation.greedy.zh", "evaluation.test.zh.bits_per_byte"

    def arm(repeated: float, cost: float, gap: float) -> dict[str, float]:
        return {
            f"{greedy}.seq_rep_4": repeated,
            bits: cost,
            f"{greedy}.gap.distinct": gap,
            f"{greedy}.gap.zipf_slope": gap,
        }

    proof = _prepare(finished, "fluent")
    figures = {
        "recipe": arm(0.1, 1.0, 0.1) if better else arm(0.3, 1.02, 0.5),
        "cross-entropy alone": arm(0.4, 1.0, 0.4),
        "unlikelihood alone": arm(0.2, 1.0, 0.2),
        "random reward": arm(0.2, 1.0, 0.2 if better else 0.1),
        "constant reward": arm(0.2, 1.0, 0.2 if better else 0.1),
    }
    claims = _judge(finished[1], proof, tmp_path, figures)
    assert len(claims) == 7
    assert {entry.verdict for entry in claims.values()} == {"held" if better else "failed"}


def test_a_stage_that_only_punishes_is_proven_from_end_to_end(finished: tuple[Path, Path]) -> None:
    proof = _prepare(finished, "quiet", seeds=1)
    assert [arm.name for arm in proof.proof.arms] == ["recipe", "cross-entropy alone"]
    outcome = proof.run(Console(quiet=True))
    assert {entry.metric.split(".")[1] for entry in outcome.entries} == {"greedy", "test"}
    table = finished[1] / "proofs/quiet/table.md"
    assert "cross-entropy alone" in table.read_text(encoding="utf-8")
    name = "cross-entropy-alone-s1-r1"
    hanlin.config.load_recipe(finished[1] / "proofs/quiet" / name / "recipe.toml")


def test_old_and_new_text_are_measured_in_every_arm(finished: tuple[Path, Path]) -> None:
    proof = _prepare(finished, "later", seeds=1)
    arms = {arm.name: arm for arm in proof.proof.arms}
    assert set(arms) == {"recipe", "without augmentation", "without replay", "joint"}
    # As much plain text: 4 steps less a quarter of two of them, to the nearest step.
    assert arms["without augmentation"].stages[0].learning.num_steps == 4
    assert arms["joint"].stages[0].learning.num_steps == 4 + 4 * 512 // 256
    assert arms["joint"].stages[0].from_ == ""
    outcome = proof.run(Console(quiet=True))
    metrics = {entry.metric for entry in outcome.entries}
    assert {f"watched.main.{language}.forgotten" for language in ("zh", "en")} <= metrics
    assert {f"watched.late.{language}.bits_per_byte" for language in ("zh", "en")} <= metrics
    assert "evaluation.leakage.samples.value" in metrics
    assert "evaluation.reversal.by_language.zh.value" in metrics
    joint = Trial(proof.run_folder, proof.recipe, proof.stage, arms["joint"], 1, 1.0).measured()
    assert "forgotten" not in joint.figures["watched"]["main"]["zh"]


@pytest.mark.parametrize("kept", [True, False])
def test_augmentation_and_replay_are_judged_by_their_rules(
    finished: tuple[Path, Path], tmp_path: Path, kept: bool
) -> None:
    def arm(bits: float, forgotten: float) -> dict[str, float]:
        return {
            "evaluation.test.zh.bits_per_byte": bits,
            "watched.main.zh.forgotten": forgotten,
            "watched.main.zh.bits_per_byte": bits,
            "watched.late.zh.bits_per_byte": bits,
            "evaluation.leakage.samples.value": 0.001 if kept else 0.01,
            "evaluation.leakage.human.value": 0.0,
            "evaluation.reversal.by_language.zh.value": 0.7 if kept else 0.2,
        }

    proof = _prepare(finished, "later")
    figures = {
        "recipe": arm(1.0 if kept else 1.1, 0.005 if kept else 0.2),
        "without augmentation": arm(1.0, 0.0),
        "without replay": arm(1.0, 0.1),
        "joint": arm(0.99, 0.0),
    }
    claims = _judge(finished[1], proof, tmp_path, figures)
    assert len(claims) == len(proof.proof.claims)
    assert {entry.verdict for entry in claims.values()} == {"held" if kept else "failed"}


@pytest.mark.parametrize("good", [True, False])
def test_an_expansion_is_judged_against_full_fine_tuning(
    finished: tuple[Path, Path], tmp_path: Path, good: bool
) -> None:
    def arm(gained: float, forgotten: float) -> dict[str, float]:
        return {"watched.late.zh.gained": gained, "watched.main.zh.forgotten": forgotten}

    proof = _prepare(finished, "grown")
    names = [arm.name for arm in proof.proof.arms]
    assert names == ["recipe", "full fine-tuning", "full fine-tuning with replay", "lora"]
    recipe = arm(0.09, 0.001) if good else arm(0.07, 0.3)
    figures = {
        "recipe": {**recipe, "expansion.switched_off_identical": 1.0 if good else 0.0},
        "full fine-tuning": arm(0.1, 0.4),
        "full fine-tuning with replay": arm(0.1, 0.02),
        "lora": arm(0.08, 0.1),
    }
    claims = _judge(finished[1], proof, tmp_path, figures)
    assert len(claims) == len(proof.proof.claims) == 5
    assert {entry.verdict for entry in claims.values()} == {"held" if good else "failed"}


def test_an_expand_stage_says_what_it_gained_and_forgot(finished: tuple[Path, Path]) -> None:
    proof = _prepare(finished, "grown", seeds=1)
    recipe = Arm(name="recipe", stages=(proof.stage,))
    claims = tuple(claim for claim in proof.proof.claims if claim.control == "recipe")
    mine = type(proof)(**{**vars(proof), "proof": Proof(arms=(recipe,), claims=claims)})
    (entry,) = mine.run(Console(quiet=True)).entries
    assert (entry.verdict, entry.values) == ("held", (1.0,))
    figures = Trial(proof.run_folder, proof.recipe, proof.stage, recipe, 1, 1.0).measured().figures
    own = json.loads((finished[1] / "stages/7-grown/result.json").read_text())
    for age, part in (("old", "main"), ("new", "late")):
        after = figures["expansion"]["bits_per_byte"]["after"][age]
        assert after == pytest.approx(own["expansion"]["bits_per_byte"]["after"][age])
        watched = {k: v["bits_per_byte"] for k, v in figures["watched"][part].items()}
        assert watched == pytest.approx(after)


def test_proofs_that_share_an_arm_run_it_once_with_the_rates_of_both() -> None:
    rule = at_most()
    claims = [
        Claim(sentence=name, arm="recipe", control="b", figure="x", rule=rule) for name in "pq"
    ]
    one = Proof(arms=(Arm(name="recipe", stages=()),), claims=(claims[0],))
    other = Proof(
        arms=(Arm(name="recipe", stages=(), rates=(0.5, 1.0)), Arm(name="b", stages=())),
        claims=(claims[1],),
    )
    both = merge([one, other])
    assert [(arm.name, arm.rates) for arm in both.arms] == [
        ("recipe", (1.0, 0.5)),
        ("b", (1.0, 0.5)),
    ]
    assert both.claims == tuple(claims)


def test_an_arm_that_is_meant_to_spend_less_is_no_unequal_one() -> None:
    def arm(flops: float, share: float) -> ArmOutcome:
        return ArmOutcome(1.0, (1.0,), (Measured({}, flops, 1),), share)

    said = describe_flops({"a": arm(100.0, 1.0), "a at 75%": arm(75.0, 0.75)})
    assert said.startswith("All arms spent the same FLOPs")
    assert "a at 75% 75%" in said


def test_a_teacher_from_elsewhere_has_no_known_cost(finished: tuple[Path, Path]) -> None:
    recipe, run = finished
    loaded = load_recipe(recipe)
    release = str(run / "stages/1-base/model")
    stage = loaded.stages[1].model_copy(update={"from_": release, "teachers": (release,)})
    with pytest.raises(RecipeError, match="what it cost is unknown"):
        proof_of(Subject(loaded, stage, RunFolder(run)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["toy", "text"])
def test_every_example_is_priced(tmp_path: Path, kind: str, text: str) -> None:
    path = tmp_path / f"{kind}-{text}.toml"
    shutil.copy(EXAMPLES / path.name, path)
    overrides = ["tokenizer.vocab_size=500", "evaluation.test_tokens=300", "evaluation.greedy=2"]
    overrides += ["evaluation.samples=2", "sampling.max_tokens=10", "corpus.cleaning.quality=false"]
    recipe = load_recipe(path)
    for stage in recipe.stages:
        place = f"stages.{stage.name}.training"
        overrides += [f"{place}.steps=2", f"{place}.batch_tokens=320", f"{place}.eval_tokens=200"]
        for task in stage.task.tasks if stage.task else ():
            overrides.append(f"stages.{stage.name}.task.held_out=2")
            if task.world:
                table = f"stages.{stage.name}.task.tasks.{task.name}"
                overrides.append(f"{table}.world.stories=40")
    for source in recipe.corpus.sources:
        if source.world:
            overrides.append(f"corpus.sources.{source.label}.world.stories=80")
    _write_texts(tmp_path / "texts")
    run = hanlin.run(path, folder=tmp_path / "run", overrides=overrides, quiet=True)
    recipe = load_recipe(path, overrides)
    for stage in KINDS[kind]:
        proof = prepare_proof(recipe, RunFolder(run), base=tmp_path, stage=stage, seeds=3)
        assert proof.price.trials > len(proof.proof.arms)
        assert proof.price.flops > 0
        assert len(proof.proof.claims) >= 2


def _write_texts(folder: Path) -> None:
    folder.mkdir()
    stories = list(write_stories(WorldConfig(stories=80, seed=5)))
    for language in ("zh", "en"):
        texts = [story for story, tag in stories if tag.startswith(language)]
        (folder / f"{language}.txt.gz").write_bytes(gzip.compress("\n\n".join(texts).encode()))
    rng = random.Random(6)
    records: dict[str, list[dict[str, Any]]] = {"talks": [], "summaries": [], "pairs": []}
    for story in (generate_story(rng) for _ in range(20)):
        asked = story.request("en", rng)
        turns = [("user", asked.text), ("assistant", asked.question or asked.answer)]
        talk = [{"role": role, "content": content} for role, content in turns]
        records["talks"].append({"messages": talk})
        records["summaries"].append({"text": story.text("zh"), "summary": story.summary("zh")})
        records["pairs"].append({"zh": story.summary("zh"), "en": story.summary("en")})
    for name, lines in records.items():
        text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
