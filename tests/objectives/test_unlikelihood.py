"""What must not be said loses probability, and nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hanlin.objectives import plain_cross_entropy
from hanlin.objectives.exemptions import exempt_tokens
from hanlin.objectives.next_token import IGNORED
from hanlin.objectives.unlikelihood import (
    LEAST_REST,
    TokenMix,
    TokenTargets,
    earlier_tokens,
    fused_token_losses,
    plain_token_losses,
    repeated_tokens,
    unlikelihood,
)
from hanlin.tokenizers import train_tokenizer

_MIX = TokenMix(cross_entropy=0.7, unlikelihood=0.5, confidence=0.3, confident_above=0.2)


def _case(*, weighted: bool = True) -> tuple[Tensor, Tensor, TokenTargets]:
    chance = torch.Generator().manual_seed(1)
    hidden = torch.randn(24, 8, generator=chance, requires_grad=True)
    head = torch.randn(30, 8, generator=chance, requires_grad=True)
    earlier = torch.randint(-1, 30, (24, 5), generator=chance)
    allowed = (torch.rand(30, generator=chance) > 0.2).float()
    weights = (torch.rand(24, generator=chance) > 0.3).float() if weighted else None
    ids = torch.randint(30, (24,), generator=chance)
    return hidden, head, TokenTargets(ids, weights, earlier, allowed)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("rows", [0, 7])
def test_the_chunked_losses_and_gradients_are_those_of_plain_loops(
    weighted: bool, rows: int
) -> None:
    hidden, head, targets = _case(weighted=weighted)
    plain = plain_token_losses(hidden, head, targets, _MIX)
    expected = torch.autograd.grad(plain.total, (hidden, head))
    fused = fused_token_losses(hidden, head, targets, _MIX, rows=rows)
    for ours, theirs in zip(fused, plain, strict=True):
        torch.testing.assert_close(ours, theirs)
    for ours, theirs in zip(
        torch.autograd.grad(fused.total, (hidden, head)), expected, strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_without_a_penalty_it_is_the_cross_entropy() -> None:
    hidden, head, targets = _case()
    fused = fused_token_losses(hidden, head, targets, TokenMix())
    expected = plain_cross_entropy(hidden, head, targets.ids, weights=targets.weights)
    torch.testing.assert_close(fused.total, expected)
    torch.testing.assert_close(fused.cross_entropy, expected)


def test_a_certain_token_costs_no_more_than_the_clamp_and_moves_nothing() -> None:
    logits = torch.tensor([[40.0, 0.0]], requires_grad=True)
    loss = unlikelihood(logits.log_softmax(-1)[0, 0])
    loss.backward()
    assert loss.item() == pytest.approx(-np.log(LEAST_REST), rel=1e-3)
    assert logits.grad is not None and not bool(logits.grad.any())


def test_earlier_tokens_stay_in_the_window_and_in_the_document() -> None:
    seen = earlier_tokens(torch.tensor([[5, 6, 0, 7, 8, 9]]), 3, eot_id=0)
    assert seen[0].tolist() == [
        [IGNORED, IGNORED, 5],
        [IGNORED, 5, 6],
        [IGNORED, IGNORED, 0],
        [IGNORED, 0, 7],
        [0, 7, 8],
        [7, 8, 9],
    ]


def _repeated_reference(ids: list[int], size: int) -> list[bool]:
    marked, seen = [False] * len(ids), set()
    for start in range(len(ids) - size + 1):
        gram = tuple(ids[start : start + size])
        if gram in seen:
            marked[start : start + size] = [True] * size
        seen.add(gram)
    return marked


@pytest.mark.parametrize("size", [1, 2, 4])
def test_repeated_ngrams_are_found_as_a_set_finds_them(size: int) -> None:
    ids = torch.randint(3, (20, 16), generator=torch.Generator().manual_seed(size))
    lengths = torch.arange(20) % 17
    written = torch.arange(16) < lengths[:, None]
    found = repeated_tokens(ids, written, size)
    for row, length in enumerate(lengths.tolist()):
        expected = _repeated_reference(ids[row, :length].tolist(), size)
        assert found[row, :length].tolist() == expected
        assert not bool(found[row, length:].any())


def test_a_text_shorter_than_two_ngrams_repeats_nothing() -> None:
    assert not bool(repeated_tokens(torch.zeros(1, 4).long(), torch.ones(1, 4).bool(), 4).any())


def test_exempt_are_control_tokens_marks_broken_characters_and_the_commonest() -> None:
    tokenizer = train_tokenizer("char", ["小猫小狗，大猫。a cat, a dog."], 357)
    ids = tokenizer.encode("小小猫狗，，a a cat")
    counts = np.bincount(ids, minlength=tokenizer.vocab_size)
    exempt = exempt_tokens(tokenizer, counts, commonest=1, rows=tokenizer.vocab_size + 5)

    def is_exempt(text: str) -> bool:
        (token,) = tokenizer.encode(text)
        return bool(exempt[token])

    assert all(map(is_exempt, "小a，。"))
    assert not any(map(is_exempt, "猫狗大ct"))
    assert bool(exempt[list(tokenizer.control.values())].all())
    assert bool(exempt[tokenizer.encode("🐱")].all())
    assert bool(exempt[-5:].all())
