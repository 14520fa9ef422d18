"""Rewards say what they are for, on one scale, and aloud when they say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from hanlin.errors import HanlinError
from hanlin.models.ngram import KneserNey
from hanlin.objectives import Critic, RewardBook
from hanlin.objectives.rewards import (
    Continuation,
    Critique,
    Ending,
    Fluency,
    Lexical,
    Overlap,
    Repetition,
    Reward,
    character_f_score,
)


def _text(text: str, *, ids: Sequence[int] = (), ended: bool = False, **more: Any) -> Continuation:
    plain = {"prefix": (1,), "prefix_text": "从前", "truth_text": "小猫睡着了。"}
    return Continuation(ids=tuple(ids), ended=ended, text=text, **(plain | more))


class _Given(Reward):
    """A reward with values of one's own."""

    name = "given"
    is_band = False
    least_spread = 0.1

    def __init__(self, *values: float) -> None:
        self.given = values

    def values(self, continuations: Sequence[Continuation]) -> Any:
        return np.array(
            [self.given[place % len(self.given)] for place in range(len(continuations))]
        )

    def human_values(self, truths: Sequence[Continuation]) -> Any:
        return np.arange(len(truths), dtype=float)


def _book(reward: Reward, *, heard: list[str] | None = None, patience: int = 3) -> RewardBook:
    alarm = (heard if heard is not None else []).append
    return RewardBook([reward], {reward.name: 1.0}, alarm=alarm, patience=patience)


def _score(book: RewardBook, count: int = 4, group: int = 4) -> list[float]:
    texts = [_text("猫")] * count
    return book.score(texts, group, torch.Generator().manual_seed(1)).tolist()


def test_overlap_is_one_for_the_truth_and_none_for_a_stranger() -> None:
    assert character_f_score("小猫睡着了", "小猫 睡着了") == 1
    assert character_f_score("abc", "小猫") == 0
    assert character_f_score("", "小猫") == 0
    half, less = (
        character_f_score("小猫睡着了", "小猫醒着呢"),
        character_f_score("小", "小猫醒着呢"),
    )
    assert 1 > half > less > 0


def test_human_overlap_is_that_with_the_text_before() -> None:
    truth = _text("小猫睡着了。", prefix_text="小猫")
    assert Overlap().values([truth])[0] == 1
    assert 0 < Overlap().human_values([truth])[0] < 1


def test_repetition_falls_with_ngrams_and_with_runs() -> None:
    fresh, loop, run = (
        _text("", ids=range(12)),
        _text("", ids=[1, 2, 3] * 4),
        _text("", ids=[7] * 12),
    )
    values = Repetition().values([fresh, loop, run, _text("", ids=[1]), _text("")])
    assert values[0] == values[3] == values[4] == 0
    assert 0 > values[1] > values[2]


def test_fluency_is_the_likelihood_a_character_after_the_prefix() -> None:
    scorer = KneserNey.fit([np.array([1, 2, 3, 4] * 20)], 3, 6)
    likely, odd = _text("cd", ids=[2, 3]), _text("cd", ids=[4, 1])
    values = Fluency(scorer).values([likely, odd, _text("")])
    assert values[0] > values[1]
    assert values[0] == pytest.approx(scorer.logprobs(np.array([1, 2, 3]))[1:].sum() / 2)
    assert np.isfinite(values[2])


def test_lexical_is_the_mean_rarity() -> None:
    lexical = Lexical.of(np.array([1000, 10, 0]))
    values = lexical.values([_text("", ids=[0, 0]), _text("", ids=[1, 2]), _text("")])
    assert values[1] > values[0] > 0 and values[2] == 0


def test_an_end_belongs_after_a_sentence_and_characters_are_whole() -> None:
    values = Ending().values(
        [
            _text("睡着了。", ended=True),
            _text("睡着", ended=True),
            _text("睡着\ufffd"),  # cut off inside a character
            _text("睡\ufffd着了"),
            _text("", ended=True),
        ]
    )
    assert values.tolist() == [1, 0.5, 1, 0.75, 0.5]


def test_nothing_is_rewarded_until_human_text_is_known() -> None:
    book = _book(_Given(0.0, 9.0))
    assert _score(book) == [0, 0, 0, 0]
    book.moments += book.observe([_text("猫")] * 9)  # 0 to 8: mean 4, deviation 2.58
    assert _score(book) == pytest.approx([-4 / 2.582, 5 / 2.582] * 2, rel=1e-3)


def test_a_band_rewards_the_middle() -> None:
    reward = _Given(0.0, 4.0, 8.0)
    reward.is_band = True
    book = _book(reward)
    book.moments += book.observe([_text("猫")] * 9)
    low, middle, high = _score(book, 3, 3)
    assert middle == 0 and low == high < 0


def test_a_reward_that_is_no_number_is_named() -> None:
    with pytest.raises(HanlinError, match=r"'given' is nan for continuation 1 .*given = 0"):
        _score(_book(_Given(1.0, float("nan"))))


def test_a_constant_reward_is_told_once_and_then_ends_the_stage() -> None:
    heard: list[str] = []
    book = _book(_Given(2.0), heard=heard)
    for _ in range(5):
        _score(book)
    assert len(heard) == 1 and "'given' has been 2 for all continuations" in heard[0]
    with pytest.raises(HanlinError, match="told no two continuations of a prefix apart"):
        _score(book)


def test_the_controls_look_at_no_text() -> None:
    book = RewardBook([], {"constant": 1.0}, alarm=print, patience=1)
    assert [_score(book) for _ in range(9)][-1] == [1, 1, 1, 1]
    chance = RewardBook([], {"random": 1.0}, alarm=print, patience=1)
    assert len(set(_score(chance))) == 4


def test_the_critic_learns_to_tell_two_kinds_apart() -> None:
    draw = torch.Generator().manual_seed(1)
    people, machines = torch.randn(40, 8, generator=draw) + 1, torch.randn(40, 8, generator=draw)
    critic = Critic(8, rate=1e-2, steps=60, seed=1)
    before = critic.judge(people).mean() - critic.judge(machines).mean()
    critic.learn(people, machines, draw)
    assert critic.judge(people).mean() - critic.judge(machines).mean() > before + 0.5
    assert Critique().values([_text("", judgement=0.7)]).tolist() == [0.7]
