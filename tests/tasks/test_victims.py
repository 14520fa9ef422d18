"""Classifiers as an attack sees them, beside the plain way that they are used."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hanlin.attacks import Budget
from hanlin.config import HeadConfig, ModelConfig
from hanlin.evaluation import measure_robustness
from hanlin.generation import Engine
from hanlin.models import Decoder, ReleasedHead, build_head, build_model
from hanlin.tasks import HeadVictim, LabelVictim, classify_texts
from hanlin.tasks.classify import choose_label
from hanlin.tokenizers import Tokenizer

TEXTS = ["小猫看见鱼。", "请把球给小明，好吗？", "The cat saw a fish in the garden.", "猫"]
LABELS = ["动物", "no who", "完整"]


@pytest.fixture(scope="module")
def model(bpe: Tokenizer) -> Decoder:
    shape = ModelConfig(
        vocab_size=bpe.vocab_size, hidden_size=16, num_heads=2, num_layers=1, context_length=64
    )
    made = build_model(shape, seed=1)
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.4, generator=chance)
    return made


@pytest.fixture(scope="module")
def released(model: Decoder) -> ReleasedHead:
    head = build_head(model.config, HeadConfig(), ("bad", "good"), seed=1)
    torch.nn.init.normal_(head.weight, generator=torch.Generator().manual_seed(2))
    return ReleasedHead("mood", head, temperature=1.7, context=32)


def test_labels_are_chosen_as_the_task_chooses_them(bpe: Tokenizer, model: Decoder) -> None:
    victim, engine = LabelVictim(model, bpe, LABELS), Engine(model, bpe)
    found = victim.probabilities(TEXTS)
    assert found.sum(1) == pytest.approx(1)
    assert [LABELS[n] for n in found.argmax(1)] == [choose_label(engine, t, LABELS) for t in TEXTS]
    alone = np.concatenate([victim.probabilities([text]) for text in TEXTS])
    assert np.allclose(found, alone, atol=1e-5)


def test_a_head_is_asked_as_it_is_used(
    bpe: Tokenizer, model: Decoder, released: ReleasedHead
) -> None:
    victim = HeadVictim(model, bpe, released)
    wanted = [
        [one.probabilities[label] for label in victim.labels]
        for one in classify_texts(model, bpe, released, TEXTS)
    ]
    assert np.allclose(victim.probabilities(TEXTS), np.array(wanted), atol=1e-6)


def test_saliency_is_the_gradient_and_leaves_nothing_behind(
    bpe: Tokenizer, model: Decoder, released: ReleasedHead
) -> None:
    for victim in (LabelVictim(model, bpe, LABELS), HeadVictim(model, bpe, released)):
        for text in TEXTS:
            slopes = victim.saliency(text, 1)
            assert slopes.shape == (len(text),)
            assert (slopes > 0).all()
        assert all(parameter.grad is None for parameter in model.parameters())


def test_what_is_too_long_does_not_fit(
    bpe: Tokenizer, model: Decoder, released: ReleasedHead
) -> None:
    long = "".join(TEXTS) * 9
    for victim in (LabelVictim(model, bpe, LABELS), HeadVictim(model, bpe, released)):
        assert victim.fits(TEXTS[0])
        assert not victim.fits(long)


def test_a_report_counts_what_it_says(bpe: Tokenizer, model: Decoder) -> None:
    victim = LabelVictim(model, bpe, LABELS)
    said = [LABELS[n] for n in victim.probabilities(TEXTS).argmax(1)]
    examples = [*zip(TEXTS, said, strict=True), (TEXTS[0], next(x for x in LABELS if x != said[0]))]
    attacks = {"sound": ("sound",), "marks": ("marks",)}
    first, second = (
        measure_robustness(victim, examples, attacks, Budget(0.5, 60), seed=1)  # type: ignore[arg-type]
        for _ in range(2)
    )
    assert first.as_dict() == second.as_dict()
    assert first.clean.value == pytest.approx(4 / 5)
    found = list(first.found())
    for name, report in first.by_attack.items():
        fooled = [one for one in found if one["attack"] == name]
        assert report.success.successes == len(fooled)
        assert report.accuracy.successes == 4 - len(fooled)
        for one in fooled:
            answer = LABELS[int(victim.probabilities([one["adversarial"]]).argmax())]
            assert answer == one["read_as"] != one["label"]
