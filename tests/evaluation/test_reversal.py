"""A fact that is known one way is asked for the other way, against chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from hanlin.errors import DataError
from hanlin.evaluation import NgramScorer, UniformScorer, make_facts, measure_reversal
from hanlin.evaluation.reversal import Fact
from hanlin.models.ngram import KneserNey
from hanlin.tokenizers import Tokenizer, train_tokenizer

FACTS = make_facts(60, seed=3)
CHINESE = [fact for fact in FACTS if fact.language == "zh"]  # short enough for an n-gram


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer("char", [fact.statement + fact.question for fact in FACTS], 400)


def _ngram(texts: Sequence[str], tokenizer: Tokenizer) -> NgramScorer:
    return NgramScorer(KneserNey.fit(tokenizer.encode_batch(texts), 7, tokenizer.vocab_size))


def test_facts_are_bilingual_distinct_and_a_function_of_the_seed() -> None:
    assert make_facts(60, seed=3) == FACTS != make_facts(60, seed=4)
    assert [fact.language for fact in FACTS] == ["zh", "en"] * 30
    assert len({fact.name for fact in FACTS}) == len({f.description for f in FACTS}) == 60


def test_statement_and_question_hold_the_same_fact() -> None:
    zh, en = Fact("zh", "李云", "东湖镇的铁匠"), Fact("en", "Nora Cole", "the cook of Redleaf")
    assert (zh.statement, zh.question + zh.answer(zh.name)) == (
        "李云是东湖镇的铁匠。",
        "东湖镇的铁匠是李云。",
    )
    assert (en.statement, en.question + en.answer(en.name)) == (
        "Nora Cole is the cook of Redleaf.",
        "The cook of Redleaf is Nora Cole.",
    )


def test_one_direction_alone_teaches_that_direction_alone(tokenizer: Tokenizer) -> None:
    scorer = _ngram([fact.statement for fact in CHINESE], tokenizer)
    report = measure_reversal(scorer, tokenizer, CHINESE, candidates=10)
    assert report.forward.value > 0.6
    assert report.backward.value < 0.4
    assert report.chance == 0.1


def test_both_directions_teach_both(tokenizer: Tokenizer) -> None:
    texts = [t for f in CHINESE for t in (f.statement, f.question + f.answer(f.name))]
    report = measure_reversal(_ngram(texts, tokenizer), tokenizer, CHINESE, candidates=10)
    assert report.backward.value > 0.6
    assert set(report.as_dict()["by_language"]) == {"zh"}


def test_a_tie_is_not_a_pass(tokenizer: Tokenizer) -> None:
    class Same(UniformScorer):
        def score(self, documents: Sequence[NDArray[np.integer]]) -> list[NDArray[np.float64]]:
            return [np.zeros(len(document)) for document in documents]

    report = measure_reversal(Same(tokenizer.vocab_size), tokenizer, FACTS)
    assert report.backward.successes == report.forward.successes == 0


@pytest.mark.parametrize("count", [0, 10_000])
def test_an_impossible_number_of_facts_is_refused(count: int) -> None:
    with pytest.raises(DataError, match=str(count)):
        make_facts(count, seed=1)


def test_too_few_facts_for_the_candidates_are_refused(tokenizer: Tokenizer) -> None:
    scorer = UniformScorer(tokenizer.vocab_size)
    with pytest.raises(DataError, match="10 candidates need as many facts a language"):
        measure_reversal(scorer, tokenizer, FACTS[:8])
