"""ROUGE, BLEU and chrF on a thousand random pairs, against rouge-score and sacrebleu."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from hanlin.evaluation import bleu, chrf, rouge

ENGLISH = (
    "the The cat CAT don't state-of-the-art 3.14 1,000 U.S. a.m. (so) &amp; <b> % $5 3-4 naïve"
)
CHINESE = "小猫在公园里看见一只狗。，“”——……《》！？Ａ１ a b7 GPT-4 3.5 https://x.cn 𠮷 é"
Pair = tuple[str, str]


def english(rng: random.Random) -> str:
    words = rng.choices(ENGLISH.split(), k=rng.randint(0, 14))
    return "".join(
        word + rng.choice([" ", " ", ", ", ". ", "", "...", "! ", "-\n"]) for word in words
    )


def chinese(rng: random.Random) -> str:
    return "".join(rng.choices(CHINESE, k=rng.randint(0, 25)))


def near(text: str, rng: random.Random) -> str:
    """Return a text with parts left out, turned or doubled."""
    kept = [part for part in text for _ in range(rng.choice([0, 1, 1, 1, 1, 1, 1, 2]))]
    if kept and rng.random() < 0.5:
        cut = rng.randrange(len(kept))
        kept = kept[cut:] + kept[:cut]
    return "".join(kept)


def pairs(make: Callable[[random.Random], str], seed: int) -> list[Pair]:
    rng = random.Random(seed)
    references = [make(rng) for _ in range(1000)]
    return [(near(text, rng) if rng.random() < 0.8 else make(rng), text) for text in references]


def test_english_rouge_equals_rouge_score() -> None:
    theirs = RougeScorer(["rouge1", "rouge2", "rougeL"])
    for text, reference in pairs(english, 1):
        expected = theirs.score(reference, text)
        found = rouge(text, reference, "en")
        assert found == {
            "rouge_1": pytest.approx(expected["rouge1"].fmeasure, abs=1e-12),
            "rouge_2": pytest.approx(expected["rouge2"].fmeasure, abs=1e-12),
            "rouge_l": pytest.approx(expected["rougeL"].fmeasure, abs=1e-12),
        }


@pytest.mark.parametrize(
    ("language", "make", "tokenizer"), [("en", english, "13a"), ("zh", chinese, "zh")]
)
def test_bleu_equals_sacrebleu(language: str, make: Any, tokenizer: str) -> None:
    theirs = sacrebleu.BLEU(tokenize=tokenizer, effective_order=True)
    all_pairs = pairs(make, 2)
    for text, reference in all_pairs:
        expected = theirs.sentence_score(text, [reference]).score
        assert bleu([(text, reference)], language) == pytest.approx(expected, abs=1e-9)
    texts, references = map(list, zip(*all_pairs, strict=True))
    expected = sacrebleu.BLEU(tokenize=tokenizer).corpus_score(texts, [references]).score
    assert bleu(all_pairs, language) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("make", [english, chinese])
def test_chrf_equals_sacrebleu(make: Any) -> None:
    theirs = sacrebleu.CHRF()
    all_pairs = pairs(make, 3)
    for text, reference in all_pairs:
        expected = theirs.sentence_score(text, [reference]).score
        assert chrf([(text, reference)]) == pytest.approx(expected, abs=1e-9)
    texts, references = map(list, zip(*all_pairs, strict=True))
    expected = theirs.corpus_score(texts, [references]).score
    assert chrf(all_pairs) == pytest.approx(expected, abs=1e-9)
