"""Adversarial training: what each method minimises, and that it attacks better than chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hanlin.config import AdversarialConfig, ModelConfig
from hanlin.data import ExampleRows, hide_tokens
from hanlin.models import Decoder, build_model
from hanlin.objectives import Adversarial, Answers, Loss

EVERY = ("fgsm", "fgm", "pgd", "freelb", "virtual", "noise")


def chance(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def rows() -> Tensor:
    """Texts of five tokens whose label is whether 10 or 11 stands among them, packed by two."""
    draw = np.random.default_rng(1)
    examples = []
    for _ in range(64):
        label = int(draw.integers(2))
        text = draw.integers(12, 30, size=5)
        text[draw.integers(5)] = 10 + label
        ids = [0, *text.tolist(), 5, 6 + label, 0]
        examples.append(hide_tokens(ids, [False] * 7 + [True] * 2))
    packed = ExampleRows.pack(examples, row_length=18)
    return torch.from_numpy(np.stack([packed.row(n, 0) for n in range(packed.num_rows)]))


@pytest.fixture(scope="module")
def trained(rows: Tensor) -> Decoder:
    shape = ModelConfig(vocab_size=32, hidden_size=24, num_heads=2, num_layers=2, context_length=32)
    model, objective = build_model(shape, seed=1), Answers(eot_id=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    prepared = objective.prepare(rows, model, chance())
    for _ in range(60):
        loss = objective.loss(model, prepared)
        optimizer.zero_grad()
        (loss.sum / loss.weight).backward()
        optimizer.step()
    return model


def take(model: Decoder, rows: Tensor, **settings: object) -> Loss:
    objective = Adversarial(Answers(eot_id=0), AdversarialConfig.model_validate(settings))
    return objective.loss(model, objective.prepare(rows, model, chance()))


def gradients(model: nn.Module, loss: Loss) -> dict[str, Tensor]:
    model.zero_grad()
    loss.sum.backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("method", ["fgsm", "fgm", "pgd", "freelb"])
def test_an_attack_hurts_more_than_noise_of_equal_size(
    trained: Decoder, rows: Tensor, method: str
) -> None:
    norm = "linf" if method == "fgsm" else "l2"
    noise = take(trained, rows, method="noise", norm=norm, epsilon=0.2).parts
    attack = take(trained, rows, method=method, epsilon=0.2).parts
    assert float(noise["clean"]) == pytest.approx(float(attack["clean"]), rel=1e-5)
    assert float(attack["attacked"]) > float(noise["attacked"])
    harm = float(noise["attacked"] - noise["clean"])
    assert float(attack["attacked"] - attack["clean"]) > 2 * abs(harm)


def test_several_steps_hurt_more_than_one(trained: Decoder, rows: Tensor) -> None:
    one = take(trained, rows, method="fgm", epsilon=0.3).parts["attacked"]
    many = take(trained, rows, method="pgd", epsilon=0.3, steps=6, step_size=0.4).parts["attacked"]
    assert float(many) > float(one)


@pytest.mark.parametrize("method", ["fgsm", "fgm", "pgd", "freelb", "noise"])
def test_without_distance_the_gradient_is_the_plain_one(
    trained: Decoder, rows: Tensor, method: str
) -> None:
    plain = Answers(eot_id=0)
    expected = gradients(trained, plain.loss(trained, plain.prepare(rows, trained, chance())))
    loss = take(trained, rows, method=method, epsilon=1e-9)
    found = gradients(trained, loss)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, rtol=1e-3, atol=1e-4), name


def test_the_gradient_is_that_of_the_weighted_loss_at_fixed_moves(
    trained: Decoder, rows: Tensor
) -> None:
    config = AdversarialConfig(method="noise", epsilon=0.2, weight=0.3)
    answers = Answers(eot_id=0)
    objective = Adversarial(answers, config)
    prepared = objective.prepare(rows, trained, chance())
    found = gradients(trained, objective.loss(trained, prepared))

    def at(move: Tensor) -> Tensor:
        inputs = prepared.inner.tokens.inputs
        places = prepared.inner.segment_ids
        embedded = trained.embedding(inputs) + move
        hidden = trained.hidden(inputs, embeddings=embedded, segment_ids=places)
        losses = nn.functional.cross_entropy(
            trained.head(hidden).flatten(0, 1),
            prepared.inner.tokens.targets.flatten(),
            reduction="none",
        )
        weights = prepared.inner.tokens.weights
        assert weights is not None
        return (losses * weights.flatten()).sum()

    (move,) = prepared.start
    expected = gradients(trained, Loss(0.7 * at(torch.zeros_like(move)) + 0.3 * at(move), 1, {}))
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, rtol=1e-3, atol=1e-4), name


@pytest.mark.parametrize("method", EVERY)
def test_the_same_chance_gives_the_same_loss(trained: Decoder, rows: Tensor, method: str) -> None:
    first, second = (take(trained, rows, method=method) for _ in range(2))
    assert torch.equal(first.sum, second.sum)
    assert float(first.weight) == float(second.weight) == 128


@pytest.mark.parametrize("method", EVERY)
def test_plain_text_is_never_attacked(trained: Decoder, method: str) -> None:
    text = torch.tensor([[0, 10, 11, 12, 13, 14, 15, -1, -1]], dtype=torch.int32)
    answers = Answers(eot_id=0)
    plain = answers.loss(trained, answers.prepare(text, trained, chance()))
    found = take(trained, text, method=method, epsilon=0.5)
    assert found.sum.item() == pytest.approx(plain.sum.item(), rel=1e-5)


def test_the_divergence_grows_with_the_ball(trained: Decoder, rows: Tensor) -> None:
    near, far = (
        float(take(trained, rows, method="virtual", epsilon=size).parts["divergence"])
        for size in (0.05, 0.2)
    )
    assert 0 < near < far


def test_all_passes_share_their_dropout(rows: Tensor) -> None:
    shape = ModelConfig(
        vocab_size=32, hidden_size=16, num_heads=2, num_layers=1, context_length=32, dropout=0.3
    )
    model = build_model(shape, seed=1).train()
    torch.manual_seed(5)
    parts = take(model, rows, method="fgm", epsilon=1e-9).parts
    assert float(parts["clean"]) == pytest.approx(float(parts["attacked"]), rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "it attacks nothing"),
        ({"method": "fgsm", "norm": "l2"}, "of the norm .linf."),
        ({"method": "fgm", "steps": 5}, "`steps` has no meaning"),
        ({"method": "fgm", "weight": 2.0}, "at most 1"),
        ({"families": ["sound"], "held_out": ["sound"]}, "sound cannot be trained on and held"),
        ({"families": ["sonud"]}, "sonud"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdversarialConfig.model_validate(settings)
