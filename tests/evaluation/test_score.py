from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hanlin.evaluation import DecoderScorer, NgramScorer, UniformScorer, score_sentence
from hanlin.models import Decoder
from hanlin.models.ngram import KneserNey

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer


def test_a_sentence_is_scored_token_by_token_by_both(model: Decoder, tokenizer: Tokenizer) -> None:
    text = "你好 the龘"
    ids = np.array(tokenizer.encode(text))
    gpt = DecoderScorer(model)
    ngram = NgramScorer(KneserNey.fit([ids], 2, tokenizer.vocab_size))
    scored = score_sentence(text, tokenizer, gpt, ngram)
    assert b"".join(token.token for token in scored.tokens) == text.encode()
    assert scored.tokens[0].token == "你好".encode()
    np.testing.assert_allclose([token.gpt for token in scored.tokens], gpt.score([ids])[0])
    assert scored.gpt_bits == pytest.approx(-gpt.score([ids])[0].sum() / math.log(2))
    assert scored.ngram_bits == pytest.approx(-ngram.score([ids])[0].sum() / math.log(2))
    shown = json.loads(json.dumps(scored.as_dict()))
    assert [token["token"] for token in shown["tokens"]][:3] == ["你好", " ", "the"]


def test_without_an_ngram_model_its_column_is_empty(tokenizer: Tokenizer) -> None:
    scored = score_sentence("the cat", tokenizer, UniformScorer(tokenizer.vocab_size))
    assert scored.ngram_bits is None
    assert scored.gpt_bits == pytest.approx(2 * math.log2(tokenizer.vocab_size))
