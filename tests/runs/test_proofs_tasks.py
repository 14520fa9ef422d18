"""The proof of a task stage: which arms it has, how long they are, and what is claimed."""

from __future__ import annotations

from pathlib import Path

import pytest

import hanlin
from hanlin.config import load_recipe
from hanlin.runs import Console, RunFolder
from hanlin.runs.proofs import ProofRun, prepare_proof
from hanlin.runs.proofs.figures import figure_at

RECIPE = """
name = "taught"
prompts = [""]

[[corpus.sources]]
name = "world"
world = { stories = 100 }

[corpus]
validation_share = 0.1
test_share = 0.1

[corpus.cleaning]
near_duplicates = false

[tokenizer]
vocab_size = 600

[model]
hidden_size = 24
num_layers = 1
num_heads = 2
context_length = 128

[evaluation]
ngram_order = 0
test_tokens = 300
samples = 0

[[stages]]
name = "base"
kind = "language"
training = { steps = 2, batch_tokens = 512, eval_every = 2, eval_tokens = 300, sample_every = 0 }

[[stages]]
name = "tasks"
kind = "task"
from = "base"
training = { steps = 12, batch_tokens = 512, eval_every = 12, eval_tokens = 300, sample_every = 0 }

[stages.task]
held_out = 2

[[stages.task.tasks]]
name = "classify"
world = { stories = 40, languages = ["en"] }

[[stages.task.tasks]]
name = "dialogue"
world = { stories = 40, languages = ["en"] }
"""


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> ProofRun:
    folder = tmp_path_factory.mktemp("taught")
    path = folder / "recipe.toml"
    path.write_text(RECIPE, encoding="utf-8")
    hanlin.run(path, folder=folder / "run", quiet=True)
    return prepare_proof(
        load_recipe(path), RunFolder(folder / "run"), base=Path(), stage="tasks", seeds=1
    )


def test_each_task_alone_reads_as_much_of_it_as_with_the_others(proof: ProofRun) -> None:
    arms = {arm.name: arm for arm in proof.proof.arms}
    assert set(arms) == {"recipe", "classify alone", "dialogue alone", "dialogue added"}
    alone = [arms[name].stages[0] for name in ("classify alone", "dialogue alone")]
    assert sum(stage.learning.num_steps for stage in alone) == pytest.approx(12, abs=1)
    assert [[task.name for task in stage.task.tasks] for stage in alone if stage.task] == [
        ["classify"],
        ["dialogue"],
    ]
    first, then = arms["dialogue added"].stages
    assert first.learning.num_steps == alone[0].learning.num_steps
    assert then.from_ == first.name
    assert then.task is not None
    assert [task.name for task in then.task.tasks] == ["classify", "dialogue"]


def test_the_claims_of_a_task_stage_are_judged_end_to_end(proof: ProofRun) -> None:
    entries = proof.run(Console(quiet=True)).entries
    claims = {entry.claim: entry for entry in entries}
    assert "Plain English text costs at most 2 % more bits than before the tasks" in claims
    for group in ("other_stories.en", "new_pairs.en"):
        better = claims[f"dialogue is better than its baseline always ask in satisfied on {group}"]
        assert better.control == "always ask"
        assert better.verdict == "not tested"  # one seed has no spread
        bar = claims[f"Of dialogue, ask_f1 is at least 0.95 on {group}"]
        assert bar.verdict in ("held", "failed")
        later = f"dialogue added later costs classify at most 1 point of accuracy on {group}"
        assert claims[later].threshold == "at most 0.01 lower than the control"
        assert any("classify loses at most 1 point" in claim for claim in claims)


def test_a_figure_is_found_under_a_key_with_dots() -> None:
    figures = {"after": {"file.zh": {"given": {"rouge_l": 0.5}}}}
    assert figure_at(figures, "after.file.zh.given.rouge_l") == 0.5
