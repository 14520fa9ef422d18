from __future__ import annotations

import random
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.config import (
    CleaningConfig,
    ModelConfig,
    Recipe,
    SourceConfig,
    TokenizerConfig,
    load_recipe,
    parse_recipe,
)
from hanlin.errors import DataError
from hanlin.models import resolve_model
from hanlin.planning import fit_recipe
from hanlin.planning.fitting import Fit, fit_to_machine
from hanlin.planning.measures import plan_measures
from hanlin.planning.phases import evaluation_phases, training_phases
from hanlin.planning.preparation import Preparation
from hanlin.planning.probe import Speed
from hanlin.planning.vocabulary import largest_vocabulary, train_supported
from hanlin.planning.workload import list_workloads
from hanlin.planning.writing import write_recipe
from planned_text import estimate_of

SPEED = Speed(
    step_seconds=0.5,
    steps=8,
    score_tokens_per_second=30_000,
    decode_seconds=0.002,
    decode_row_seconds=0.0001,
    peak_bytes=9e8,
    weight_bytes=4e6,
    context_length=256,
    microbatch=8,
    placement="cpu, 2 threads, fp32",
    peak_flops=1e11,
    step_flops=5e10,
)

SLOW = replace(
    SPEED,
    step_seconds=0.6,
    score_tokens_per_second=2_500,
    decode_seconds=0.01,
    decode_row_seconds=0.001,
    step_flops=8e9,
)
"""A crowded core."""


def fit(**changes: object) -> Fit:
    """A fit as it might be."""
    plain = Fit(
        sources=(SourceConfig(path='/texts/我的 "书"', name="我的书"),),
        cleaning=CleaningConfig(),
        corpus=estimate_of(5e6),
        held_out_share=0.02,
        vocab_size=2048,
        preset="1m",
        model=resolve_model(ModelConfig(preset="1m"), 2048),
        batch_tokens=8192,
        steps=700,
        epoch_tokens=2e6,
        speed=SPEED,
        minutes=30,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def read(text: str) -> Recipe:
    return parse_recipe(tomllib.loads(text), where="test")


def test_the_written_recipe_reads_back_as_what_was_chosen() -> None:
    recipe = read(write_recipe(fit(), "my books!"))
    training = recipe.stages[0].training
    assert recipe.name == "my-books"
    assert recipe.corpus.sources[0].path == '/texts/我的 "书"'
    assert (training.steps, training.batch_tokens) == (700, 8192)
    assert recipe.tokenizer.vocab_size == 2048
    assert recipe.model.preset == "1m"
    assert recipe.prompts == ("", "从前有一", "The old cat")


def test_every_choice_is_explained() -> None:
    text = write_recipe(fit(), "mine")
    for words in (
        "300 bytes",
        "16,384 tokens a second",
        "what 30 minutes allow",
        "5.00 MB of text",
    ):
        assert words in text


def test_where_the_text_ends_training_the_comment_says_so() -> None:
    text = write_recipe(fit(epoch_tokens=350_000), "mine")
    assert "16 times through the text" in text


def test_rules_for_prose_are_left_out_where_they_were() -> None:
    recipe = read(write_recipe(fit(cleaning=CleaningConfig(quality=False)), "mine"))
    assert not recipe.corpus.cleaning.quality


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=20), st.integers(1, 10**6), st.text(min_size=1, max_size=12))
def test_any_name_and_any_text_give_valid_toml(name: str, steps: int, words: str) -> None:
    recipe = read(write_recipe(fit(steps=steps, corpus=estimate_of(1e6, (words,))), name))
    assert recipe.stages[0].training.steps == steps


def test_too_little_text_is_refused_with_its_size(tmp_path: Path) -> None:
    for number, word in enumerate(("cats", "dogs", "birds", "fish", "bees")):
        text = f"A single note of some few words on {word}, and that is all there is to say."
        (tmp_path / f"{number}.txt").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="Add more text"):
        fit_to_machine([tmp_path])


def test_text_of_few_patterns_gets_a_vocabulary_that_it_supports() -> None:
    generator = random.Random(0)
    words = ["".join(generator.choices("abcdefghijklmnop", k=7)) for _ in range(60)]
    texts = [" ".join(words)] * 3
    found = largest_vocabulary(texts, 4096, 300.0)
    assert train_supported(texts, TokenizerConfig(vocab_size=4096)).vocab_size == found == 512
    assert largest_vocabulary(texts, 4096, 1e9) == 4096


def phases(recipe: Recipe, speed: Speed) -> dict[str, float]:
    """Return the seconds of what `hanlin plan` foretells."""
    corpus = fit().corpus
    numbers = dict.fromkeys(Preparation.__dataclass_fields__, 1e9)
    around = Preparation(**{**numbers, "vocab_size": 2048})  # type: ignore[arg-type]
    (work,) = list_workloads(recipe, recipe.tokenizer.vocab_size)
    learning = training_phases(recipe, work, corpus, speed, 1e6)
    return learning | evaluation_phases(recipe, work, corpus, around, speed, 1e6)


@pytest.mark.parametrize(("steps", "speed"), [(85, SLOW), (100, SPEED), (3000, SLOW)])
def test_the_plan_of_a_fitted_recipe_measures_in_its_share_of_the_time(
    steps: int, speed: Speed
) -> None:
    minutes = steps * speed.step_seconds / 60 / 0.85
    fitted = fit(steps=steps, speed=speed, batch_tokens=1024, minutes=minutes)
    recipe = parse_recipe(tomllib.loads(write_recipe(fitted, "mine")), where="test")
    seconds = steps * speed.step_seconds
    found = phases(recipe, speed)
    assert found["validation"] < 0.1 * seconds
    assert found["samples"] < 0.1 * seconds
    assert found["test"] < 0.35 * seconds


def test_a_short_training_is_evaluated_and_sampled_at_its_end() -> None:
    found = plan_measures(84, 1024, SLOW, languages=2, prompts=3)
    assert (found.eval_every, found.sample_every) == (84, 84)
    assert found.eval_tokens < 4096
    assert 8 <= found.samples < 40


def test_rows_that_cost_nothing_to_write_are_no_division_by_it() -> None:
    free = replace(SLOW, decode_row_seconds=0.0)
    found = plan_measures(840, 1024, free, languages=2, prompts=3)
    assert (found.samples, found.greedy) == (40, 48)


def test_a_long_training_is_measured_as_often_and_as_well_as_helps() -> None:
    found = plan_measures(20_000, 8192, SPEED, languages=2, prompts=3)
    assert (found.eval_every, found.sample_every) == (2000, 5000)
    assert (found.eval_tokens, found.test_tokens) == (65_000, 500_000)
    assert (found.samples, found.greedy) == (40, 48)


def test_more_time_never_measures_less() -> None:
    found = [plan_measures(n, 1024, SLOW, languages=2, prompts=3) for n in (50, 200, 800, 3200)]
    for key in ("eval_tokens", "test_tokens", "samples", "greedy"):
        values = [getattr(each, key) for each in found]
        assert key == "eval_tokens" or values == sorted(values), key
    evaluations = [n / each.eval_every for n, each in zip((50, 200, 800, 3200), found, strict=True)]
    assert evaluations == sorted(evaluations)


@pytest.mark.slow
def test_a_folder_becomes_a_recipe_that_loads(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(20):
        text = "".join(
            f"On day {n * 31 + number} the old man bought {n} apples and {n * 7} pears here. "
            for n in range(40)
        )
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    recipe = fit_recipe([folder], minutes=0.5)
    assert recipe.stages[0].training.steps >= 20
    (tmp_path / "recipe.toml").write_text(write_recipe(fit(), "x"), encoding="utf-8")
    assert load_recipe(tmp_path / "recipe.toml").name == "x"
