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
from hanlin.models import count_parameters, resolve_model
from hanlin.planning import CorpusEstimate, fit_recipe
from hanlin.planning.choosing import Chooser
from hanlin.planning.fitting import Fit, fit_to_machine
from hanlin.planning.probe import Speed
from hanlin.planning.vocabulary import largest_vocabulary, train_supported
from hanlin.planning.writing import write_recipe

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


def corpus(
    size: float, text: tuple[str, ...] = ("从前有一只猫。", "The old cat sat.")
) -> CorpusEstimate:
    """An estimate of so many bytes, half of them Chinese."""
    return CorpusEstimate(
        files=1,
        bytes_on_disk=int(size),
        text_bytes=size,
        kept_bytes=size,
        characters=size / 2,
        documents=max(1.0, size / 2000),
        shares={"en": 0.5, "zh": 0.5},
        train_share=0.96,
        sample_bytes=1000,
        seconds=1.0,
        text=text,
    )


def fit(**changes: object) -> Fit:
    """A fit as it might be."""
    plain = Fit(
        sources=(SourceConfig(path='/texts/我的 "书"', name="我的书"),),
        cleaning=CleaningConfig(),
        corpus=corpus(5e6),
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


def chooser_of(size: float, seconds: float, memory: float = 1e12) -> Chooser:
    return Chooser(corpus(size), seconds, memory, entries=max(512, int(size / 300)))


def read(text: str) -> Recipe:
    return parse_recipe(tomllib.loads(text), where="test")


@settings(deadline=None, max_examples=60)
@given(st.floats(2e4, 1e10), st.floats(60, 1e6), st.floats(1e9, 1e15))
def test_every_choice_is_a_model_that_can_be_built(
    size: float, seconds: float, flops_per_second: float
) -> None:
    chooser = chooser_of(size, seconds)
    choice = chooser.choose(flops_per_second)
    assert choice.vocab_size <= chooser.entries
    assert choice.batch_tokens % choice.model.context_length == 0
    assert chooser.steps(choice, flops_per_second / 1e7) >= 20


def test_more_time_and_more_text_give_larger_models() -> None:
    def weights(size: float, seconds: float) -> int:
        choice = chooser_of(size, seconds).choose(1e12)
        return count_parameters(choice.model).total

    assert weights(1e9, 600) < weights(1e9, 60_000)
    assert weights(1e6, 60_000) < weights(1e9, 60_000)


def test_a_small_memory_gives_a_small_model() -> None:
    free, tight = (chooser_of(1e10, 1e7, memory).choose(1e13) for memory in (1e12, 1.5e9))
    assert count_parameters(tight.model).total < count_parameters(free.model).total


def test_little_text_is_read_at_most_sixteen_times() -> None:
    chooser = chooser_of(300_000, 1e6)
    choice = chooser.choose(1e13)
    epoch = chooser.corpus.tokens(choice.vocab_size)
    assert chooser.steps(choice, 1e9) * choice.batch_tokens <= 16 * epoch
    assert choice.model.dropout == 0.1


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
    recipe = read(write_recipe(fit(steps=steps, corpus=corpus(1e6, (words,))), name))
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
