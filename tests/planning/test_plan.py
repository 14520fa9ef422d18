from __future__ import annotations

import json
import subprocess

import pytest

from hanlin.config import Recipe, parse_recipe
from hanlin.errors import HanlinError, RecipeError
from hanlin.planning import CorpusEstimate, Hardware, plan, render
from hanlin.planning.apart import measure_apart
from hanlin.planning.phases import evaluation_phases, training_phases
from hanlin.planning.preparation import Preparation
from hanlin.planning.probe import Speed
from hanlin.planning.workload import list_workloads

CORPUS = CorpusEstimate(
    files=2,
    bytes_on_disk=2_000_000,
    text_bytes=5_000_000,
    kept_bytes=4_000_000,
    characters=2_000_000,
    documents=1_000,
    shares={"en": 0.5, "zh": 0.5},
    train_share=0.96,
    sample_bytes=100_000,
    seconds=2.0,
    text=tuple(f"The cat number {n} sat on the mat. 第{n}只猫坐在垫子上。" for n in range(300)),
)


def recipe(**changes: object) -> Recipe:
    """A recipe of a tiny model, with changes to its tables."""
    table: dict[str, object] = {
        "name": "tiny",
        "corpus": {"sources": [{"path": "text"}]},
        "tokenizer": {"vocab_size": 512},
        "model": {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "context_length": 32},
        "stages": [
            {
                "name": "base",
                "kind": "language",
                "training": {"steps": 40, "batch_tokens": 256, "eval_tokens": 1000},
            }
        ],
    }
    return parse_recipe({**table, **changes}, where="test")


def test_a_plan_by_formula_is_flops_over_speed() -> None:
    hardware = Hardware(peak_flops=1e12, mfu=0.5, devices=2, name="two boards")
    found = plan(recipe(), corpus=CORPUS, hardware=hardware)
    assert found.phases["training"] == pytest.approx(found.flops / 1e12)
    assert "2 × 1 TFLOP/s × MFU 50 %" in found.basis
    assert "two boards" in found.basis


def test_a_model_that_does_not_fit_is_planned_by_formula_and_says_so() -> None:
    large = recipe(model={"preset": "gpt3-175b"}, tokenizer={"vocab_size": 50_257})
    found = plan(large, corpus=CORPUS, probe=True)
    assert any("nothing was timed" in note for note in found.notes)
    assert found.peak_bytes > 174e9 * 12
    assert "175B" in render(found)


@pytest.mark.parametrize("probe", [True, False])
def test_stages_that_learn_nothing_are_named_and_not_planned(probe: bool) -> None:
    stages = [
        {"name": "base", "kind": "language", "training": {"steps": 4, "batch_tokens": 64}},
        {"name": "decode", "kind": "generate", "from": "base"},
        {"name": "saved", "kind": "checkpoint", "from": "decode"},
    ]
    found = plan(recipe(stages=stages), corpus=CORPUS, probe=probe)
    assert [stage.name for stage in found.stages] == ["base"]
    assert any("decode, saved, which learn nothing" in note for note in found.notes)
    with pytest.raises(RecipeError, match="No stage of the recipe 'tiny' learns"):
        plan(recipe(stages=stages[1:]), corpus=CORPUS, probe=probe)


def test_many_epochs_are_warned_of() -> None:
    stages = [{"name": "base", "kind": "language", "training": {"tokens": 100_000_000}}]
    found = plan(recipe(stages=stages), corpus=CORPUS, hardware=Hardware(peak_flops=1e12))
    assert found.stages[0].epochs > 20
    assert any("teaches little" in note for note in found.notes)


def test_a_plan_is_plain_json_with_money_only_where_prices_were_given() -> None:
    hardware = Hardware(peak_flops=1e9)
    free = plan(recipe(), corpus=CORPUS, hardware=hardware)
    priced = plan(recipe(), corpus=CORPUS, hardware=hardware, price_per_hour=3600.0, currency="EUR")
    assert json.loads(json.dumps(free.as_dict()))["money"] is None
    assert priced.as_dict()["money"]["amount"] == pytest.approx(priced.seconds)
    assert "EUR" in render(priced)


def test_the_text_names_every_part() -> None:
    text = render(plan(recipe(), corpus=CORPUS, hardware=Hardware(peak_flops=1e12)))
    for word in ("Model", "Corpus", "Stage base", "Memory", "Time", "Stands on", "40 of 256"):
        assert word in text
    assert max(map(len, text.splitlines())) < 200


def test_a_plan_with_a_probe_measures_time_and_memory() -> None:
    found = plan(recipe(), corpus=CORPUS)
    assert "training steps" in found.basis
    assert set(found.phases) >= {"corpus", "tokenizer", "training", "validation", "test", "n-gram"}
    assert 0 < found.phases["training"] < 60
    assert 150e6 < found.peak_bytes < 3e9


GROWN = [
    {"name": "base", "kind": "language", "training": {"steps": 4, "batch_tokens": 64}},
    {
        "name": "student",
        "kind": "distil",
        "from": "base",
        "teachers": ["base"],
        "model": {"hidden_size": 64},
        "training": {"steps": 10, "batch_tokens": 64},
    },
]


def test_each_stage_is_planned_in_its_own_shape_with_its_teachers() -> None:
    found = plan(recipe(stages=GROWN), corpus=CORPUS, hardware=Hardware(peak_flops=1e9, mfu=1.0))
    base, student = found.stages
    assert (base.model.hidden_size, student.model.hidden_size) == (32, 64)
    assert found.model == student.model
    assert base.extra_flops == 0 < student.extra_flops < student.flops
    assert found.phases["training"] == pytest.approx((base.flops + student.flops) / 1e9)
    assert found.memory["teachers"] > 0
    text = render(found)
    assert "1 layers of 32" in text and "1 layers of 64" in text
    assert "of them for teachers, a reference or own text" in text


def test_targets_on_disk_have_their_bytes_and_what_they_save_in_the_plan() -> None:
    kept = [GROWN[0], {**GROWN[1], "distil": {"cache_top_k": 64, "until_share": 1.0}}]
    hardware = Hardware(peak_flops=1e9, mfu=1.0)
    found = plan(recipe(stages=kept), corpus=CORPUS, hardware=hardware)
    base, student = found.stages
    assert (base.cache_bytes, student.cache_bytes) == (0, 10 * 64 * 260)
    assert student.teaching_flops == student.extra_flops
    assert "teachers" not in found.memory
    assert "teacher cache   166 kB on disk; stages that find it there save" in render(found)
    assert "teacher cache" not in render(
        plan(recipe(stages=GROWN), corpus=CORPUS, hardware=hardware)
    )


SPEED = Speed(
    step_seconds=0.5,
    steps=3,
    score_tokens_per_second=1e4,
    decode_seconds=0.01,
    decode_row_seconds=0.001,
    peak_bytes=1e8,
    weight_bytes=1e5,
    context_length=32,
    microbatch=8,
    placement="cpu",
    peak_flops=1e9,
    step_flops=2e6,
)


def test_what_is_done_beside_the_rows_has_phases_of_its_own() -> None:
    table = {"policy": 0.3, "group": 3, "prefix_tokens": 8, "new_tokens": 10, "kl": 0}
    training = {"steps": 10, "batch_tokens": 256}
    polish = {"kind": "language", "from": "base", "language": table, "training": training}
    asked = recipe(stages=[*GROWN, {"name": "polish", **polish}])
    base, student, own = (
        training_phases(asked, work, CORPUS, SPEED, 1e6) for work in list_workloads(asked, 512)
    )
    assert base["teachers"] == base["own text"] == 0
    assert student["teachers"] > 0
    # Five batches, two prefixes of 8 rows, four continuations each, ten tokens one after another.
    assert own["own text"] > 5 * 10 * (0.01 + 7 * 0.001)
    assert own["teachers"] == 0


def test_the_answers_of_a_task_are_in_the_plan() -> None:
    tasks = [{"name": "translate", "world": {"stories": 40}}]
    stage = {"kind": "task", "from": "base", "task": {"tasks": tasks, "held_out": 40}}
    training = {"steps": 10, "batch_tokens": 64}
    asked = recipe(stages=[GROWN[0], {"name": "taught", "training": training, **stage}])
    numbers = dict.fromkeys(Preparation.__dataclass_fields__, 1000000.0)
    around = Preparation(**{**numbers, "vocab_size": 512})  # type: ignore[arg-type]
    base, taught = (
        evaluation_phases(asked, work, CORPUS, around, SPEED, 1e6)["tasks"]
        for work in list_workloads(asked, 512)
    )
    assert base == 0
    # Before and after, two groups, a quarter of 32 tokens, in batches of 32 and of 8.
    assert taught == pytest.approx(2 * 2 * 8 * (2 * 0.01 + 38 * 0.001))


def test_a_probe_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], -9, stdout="", stderr="first\nMemoryError: too much\n")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: failed)
    with pytest.raises(HanlinError, match=r"code -9: MemoryError: too much.*--no-probe"):
        measure_apart("training", {})
