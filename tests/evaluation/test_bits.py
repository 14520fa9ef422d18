from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hanlin.errors import DataError
from hanlin.evaluation import (
    HeldOutDocument,
    UniformScorer,
    bits,
    bits_per_byte,
    bits_saved,
    encode_documents,
)
from hanlin.text import Document

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer


class HalvingScorer(UniformScorer):
    """The first token of a document costs one bit, the next two, and so on."""

    def score(self, documents: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [-math.log(2) * (1 + np.arange(len(document))) for document in documents]


def documents() -> list[Document]:
    texts = [("你好", "zh-Hans"), ("the cat", "en"), ("你們", "zh-Hant"), ("", "en")]
    return [
        Document(text, language, "test", f"test#{i}") for i, (text, language) in enumerate(texts)
    ]


def test_bits_per_byte_equals_a_hand_computation(tokenizer: Tokenizer) -> None:
    report = bits_per_byte(HalvingScorer(262), encode_documents(tokenizer, documents()))
    zh, en = report.by_language["zh"], report.by_language["en"]
    # 你好 is one token (1 bit); 你們 is a token and three bytes (1 + 2 + 3 + 4 bits).
    assert (zh.tokens, zh.bytes, zh.characters, zh.bits) == (5, 12, 4, pytest.approx(11))
    # "the", " cat": 1 + 2 bits
    assert (en.tokens, en.bytes, en.characters, en.bits) == (2, 7, 7, pytest.approx(3))
    assert report.bits_per_byte == pytest.approx(14 / 19)
    assert zh.bits_per_character == pytest.approx(11 / 4)
    assert report.as_dict()["by_language"]["en"]["bits_per_byte"] == pytest.approx(3 / 7)


def test_grouping_does_not_change_the_bits(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = encode_documents(tokenizer, documents())
    whole = bits_per_byte(HalvingScorer(262), encoded)
    monkeypatch.setattr(bits, "_GROUP_TOKENS", 3)
    assert bits_per_byte(HalvingScorer(262), encoded) == whole


def test_a_limit_stops_at_the_document_that_reaches_it(tokenizer: Tokenizer) -> None:
    encoded = encode_documents(tokenizer, documents() * 3, tokens_per_language=6)
    assert [document.language for document in encoded] == ["zh", "en", "zh", "zh", "en", "en"]


def test_a_lossy_encoding_is_counted(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    def encode_lower(texts: Sequence[str]) -> list[np.ndarray]:
        return [np.array(tokenizer.encode(text.lower())) for text in texts]

    monkeypatch.setattr(tokenizer, "encode_batch", encode_lower)
    texts = [Document(text, "en", "test", text) for text in ("Cat", "dog")]
    report = bits_per_byte(HalvingScorer(262), encode_documents(tokenizer, texts))
    assert report.overall.lossy_documents == 1


def test_savings_are_paired_by_document() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(5, 400, 50)
    held_out = [HeldOutDocument("en", np.ones(n, int), int(n), int(n), True) for n in sizes]
    ours = bits_per_byte(UniformScorer(128), held_out).overall
    theirs = bits_per_byte(UniformScorer(256), held_out).overall
    saving = bits_saved(ours, theirs, rng)
    assert saving.value == pytest.approx(1 / 8)
    # Every document saves the same share, so drawing other documents changes nothing.
    assert saving.interval.low == pytest.approx(1 / 8)
    assert saving.interval.high == pytest.approx(1 / 8)
    with pytest.raises(DataError, match="same documents"):
        bits_saved(ours, bits_per_byte(UniformScorer(256), held_out[1:]).overall, rng)


def test_no_document_is_an_error() -> None:
    with pytest.raises(DataError, match="No held-out document"):
        bits_per_byte(UniformScorer(4), [])
