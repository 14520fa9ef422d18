"""A tiny decoder that writes characters, and the language stage's objective around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hanlin.config import LanguageConfig, ModelConfig
from hanlin.models import Decoder, build_model
from hanlin.objectives import Critic, Judge, LanguageMixture, Overuse, RewardBook, Writer
from hanlin.objectives.rewards import Continuation, Reward
from hanlin.tokenizers import CharTokenizer, Tokenizer, train_tokenizer

TEXT = "小猫小狗在花园里看见一只鸟。a cat and a dog saw 1 bird."


class Favourite(Reward):
    """A reward for how often one token is written."""

    name = "favourite"
    is_band = False
    least_spread = 0.02

    def __init__(self, token: int) -> None:
        self.token = token

    def values(self, continuations: Sequence[Continuation]) -> Any:
        return np.array([c.ids.count(self.token) / max(1, len(c.ids)) for c in continuations])

    def human_values(self, truths: Sequence[Continuation]) -> Any:
        return self.values(truths)


@pytest.fixture(scope="session")
def letters() -> Tokenizer:
    """Return a tokenizer of characters."""
    tokenizer = train_tokenizer("char", [TEXT], 342 + len(set(TEXT)))
    assert isinstance(tokenizer, CharTokenizer)
    return tokenizer


@pytest.fixture
def decoder(letters: Tokenizer) -> Decoder:
    """Return a decoder with opinions, since one that knows nothing writes one token always."""
    shape = ModelConfig(
        vocab_size=letters.vocab_size, hidden_size=16, num_heads=2, num_layers=1, context_length=24
    )
    model = build_model(shape, seed=1)
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        model.embedding.weight.normal_(0, 0.3, generator=chance)
        model.norm.weight.fill_(1.0)
    return model


@pytest.fixture
def rows(letters: Tokenizer) -> Tensor:
    """Return eight rows of text, (8, 25)."""
    ids = letters.encode(TEXT * 3)
    return torch.tensor([ids[start : start + 25] for start in range(8)])


@pytest.fixture
def mixture(letters: Tokenizer, decoder: Decoder) -> Callable[..., LanguageMixture]:
    """Return a maker of objectives, with rewards of one's own if any are given."""

    def build(
        *,
        rewards: Sequence[Reward] = (),
        weights: dict[str, float] | None = None,
        allowed: Tensor | None = None,
        reference: Decoder | None = None,
        critic: Critic | None = None,
        **settings: Any,
    ) -> LanguageMixture:
        plain = {"prefix_tokens": 6, "new_tokens": 8, "batch_share": 1.0, "row_share": 1.0, "kl": 0}
        config = LanguageConfig.model_validate(plain | settings)
        book = RewardBook(rewards, weights or {}, alarm=print)
        counts = np.bincount(letters.encode(TEXT), minlength=letters.vocab_size)
        free = torch.ones(letters.vocab_size) if allowed is None else allowed
        writer = Writer(
            config,
            letters,
            allowed=free,
            overuse=Overuse(counts, letters.vocab_size),
            judge=Judge(book, letters, critic),
            reference=reference,
        )
        return LanguageMixture(config, writer=writer, allowed=free, eot_id=letters.eot_id)

    return build


@pytest.fixture
def favourite(letters: Tokenizer) -> Favourite:
    """Return a reward for one letter."""
    return Favourite(letters.encode("猫")[0])
