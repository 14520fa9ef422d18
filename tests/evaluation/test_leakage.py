"""Text that was turned round is told from text that was not."""

from __future__ import annotations

import pytest

from hanlin.config import WorldConfig
from hanlin.errors import DataError
from hanlin.evaluation import fit_direction_scorers, measure_leakage
from hanlin.text.augmentation import reverse_words
from hanlin.text.world import write_stories
from hanlin.tokenizers import train_tokenizer

STORIES = [text for text, _ in write_stories(WorldConfig(stories=100))]
TOKENIZER = train_tokenizer("bpe", STORIES, 450)


def test_reversed_samples_are_found_and_human_text_raises_few_alarms() -> None:
    scorers = fit_direction_scorers(STORIES[60:], TOKENIZER)
    samples = [reverse_words(text) for text in STORIES[:10]] + STORIES[10:30]
    found = measure_leakage(samples, STORIES[30:60], TOKENIZER, *scorers)
    assert found.samples.successes == pytest.approx(10, abs=1)
    assert found.human.value < 0.05
    assert set(found.as_dict()) == {"samples", "human"}


def test_empty_texts_are_not_counted() -> None:
    scorers = fit_direction_scorers(STORIES[:5], TOKENIZER)
    found = measure_leakage(["", STORIES[0]], [], TOKENIZER, *scorers)
    assert (found.samples.total, found.human.total) == (1, 0)


def test_no_text_to_fit_on_is_refused() -> None:
    with pytest.raises(DataError, match="no text to fit"):
        fit_direction_scorers([], TOKENIZER)
