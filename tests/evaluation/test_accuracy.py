from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hanlin.evaluation import UniformScorer, encode_documents, next_character_accuracy
from hanlin.evaluation.accuracy import FirstCharacters
from hanlin.text import Document

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer


class OracleScorer(UniformScorer):
    """Knows the next token, but gives it less than two tokens that share another character."""

    def __init__(self, vocab_size: int, rivals: Sequence[int]) -> None:
        super().__init__(vocab_size)
        self.rivals = list(rivals)

    def distributions(self, document: np.ndarray, positions: Sequence[int]) -> np.ndarray:
        rows = np.zeros((len(positions), self.vocab_size))
        rows[:, self.rivals] = 0.3 * bool(self.rivals)
        rows[np.arange(len(positions)), document[list(positions)]] += 0.4
        return rows


def encode(tokenizer: Tokenizer, text: str, language: str) -> list:
    return encode_documents(tokenizer, [Document(text, language, "test", "test#0")])


def test_a_perfect_model_is_right_everywhere(tokenizer: Tokenizer) -> None:
    held_out = encode(tokenizer, "the cat the cat", "en")
    scorer = OracleScorer(tokenizer.vocab_size, rivals=[])
    share = next_character_accuracy(scorer, tokenizer, held_out, np.random.default_rng(0))["en"]
    assert (share.value, share.total) == (1.0, 5)  # the| cat| |the| cat


def test_tokens_that_begin_with_one_character_add_up(tokenizer: Tokenizer) -> None:
    # 你 and 你好 have 0.3 each: together more than the true token's 0.4, whatever it is.
    rivals = tokenizer.encode("你") + tokenizer.encode("你好")
    held_out = encode(tokenizer, "好好你好", "zh-Hans")
    scorer = OracleScorer(tokenizer.vocab_size, rivals)
    share = next_character_accuracy(scorer, tokenizer, held_out, np.random.default_rng(0))["zh"]
    assert (share.successes, share.total) == (1, 3)


def test_positions_inside_a_character_are_not_asked(tokenizer: Tokenizer) -> None:
    held_out = encode(tokenizer, "龘a", "zh-Hant")  # three bytes, then a letter
    scorer = OracleScorer(tokenizer.vocab_size, rivals=[])
    share = next_character_accuracy(scorer, tokenizer, held_out, np.random.default_rng(0))["zh"]
    assert share.total == 2
    assert share.successes == 1  # no token holds 龘 whole


def test_the_number_of_positions_is_bounded(tokenizer: Tokenizer) -> None:
    held_out = encode(tokenizer, "the cat " * 400, "en")
    scorer = OracleScorer(tokenizer.vocab_size, rivals=[])
    accuracy = next_character_accuracy(
        scorer, tokenizer, held_out * 3, np.random.default_rng(0), positions=150
    )
    assert accuracy["en"].total == 150


def test_control_tokens_begin_with_no_character(tokenizer: Tokenizer) -> None:
    firsts = FirstCharacters(tokenizer)
    rows = np.zeros((1, tokenizer.vocab_size))
    rows[0, tokenizer.eot_id] = 0.9
    rows[0, tokenizer.encode("好")] = 0.1
    assert firsts.predict(rows) == ["好"]
