"""The loss of labels: taken out of rows, equal to its formula, and where its gradient goes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hanlin.config import HeadConfig, ModelConfig
from hanlin.data import ExampleRows, hide_tokens
from hanlin.models import Decoder, attach_heads, build_head, build_model, classify_ids
from hanlin.models.heads import pad_rows
from hanlin.objectives import Answers, Labels, label_loss

VOCABULARY = 32
GENERATOR = torch.Generator()


def rows(texts: list[list[int]], nodes: list[int], length: int = 12) -> Tensor:
    """Return rows of labelled texts; node 0 is the first label of the first head."""
    packed = ExampleRows.pack(
        (
            hide_tokens([*text, VOCABULARY + node], [False] * (len(text) + 1))
            for text, node in zip(texts, nodes, strict=True)
        ),
        length,
    )
    return torch.from_numpy(np.stack([packed.row(n, 0) for n in range(packed.num_rows)]))


def model(*layouts: HeadConfig) -> Decoder:
    shape = ModelConfig(
        vocab_size=VOCABULARY, hidden_size=16, num_layers=1, num_heads=2, context_length=16
    )
    decoder = build_model(shape, seed=1)
    heads = [build_head(shape, layout, ("a", "b"), seed=2) for layout in layouts]
    for head in heads:
        torch.nn.init.normal_(head.weight, generator=torch.Generator().manual_seed(3))
    attach_heads(decoder, heads)
    return decoder.eval()


def objective(number: int = 1, **changes: object) -> Labels:
    settings = {"class_weights": [[1.0, 1.0]] * number, "counts": [1.0] * number, **changes}
    return Labels(Answers(eot_id=0), vocab_size=VOCABULARY, **settings)  # type: ignore[arg-type]


TEXTS = [[0, 5, 6, 7], [0, 8], [0, 9, 10, 11, 12, 13], [0, 14, 15]]


def test_packed_texts_cost_what_they_cost_alone() -> None:
    decoder = model(HeadConfig())
    assert decoder.heads is not None
    prepared = objective().prepare(rows(TEXTS, [0, 1, 1, 0]), decoder, GENERATOR)
    assert prepared.answers is None
    assert sum(len(batch.labels) for batch in prepared.texts) == 4
    loss = objective().loss(decoder, prepared)
    alone = [
        label_loss(
            classify_ids(decoder, decoder.heads[0], *pad_rows([text], "cpu")),  # type: ignore[arg-type]
            torch.tensor([label]),
            0.0,
        ).item()
        for text, label in zip(TEXTS, [0, 1, 1, 0], strict=True)
    ]
    assert loss.sum.item() == pytest.approx(sum(alone), rel=1e-5)
    assert float(loss.weight) == 4


def test_each_text_goes_to_its_own_head_with_its_own_weight() -> None:
    decoder = model(HeadConfig(), HeadConfig(pool="last"))
    weighted = objective(2, class_weights=[[1.0, 3.0], [1.0, 1.0]], counts=[1.0, 5.0])
    prepared = weighted.prepare(rows(TEXTS[:2], [1, 2]), decoder, GENERATOR)
    assert {(one.head, int(one.labels[0])) for one in prepared.texts} == {(0, 1), (1, 0)}
    loss = weighted.loss(decoder, prepared)
    assert float(loss.weight) == 3.0 + 5.0
    assert sum(map(float, loss.parts.values())) == pytest.approx(loss.sum.item(), rel=1e-5)


def test_answers_in_rows_of_their_own_cost_what_they_did() -> None:
    decoder = model(HeadConfig())
    learnt = hide_tokens([0, 5, 6, 7, 0], [False, False, True, True, True])
    answers = torch.full((1, 13), -1, dtype=torch.int32)
    answers[0, :5] = torch.from_numpy(learnt)
    both = torch.cat([rows(TEXTS[:1], [1]), answers])
    plain = Answers(eot_id=0)
    parts = [
        objective().loss(decoder, objective().prepare(rows(TEXTS[:1], [1]), decoder, GENERATOR)),
        plain.loss(decoder, plain.prepare(answers, decoder, GENERATOR)),
    ]
    whole = objective().loss(decoder, objective().prepare(both, decoder, GENERATOR))
    assert whole.sum.item() == pytest.approx(sum(part.sum.item() for part in parts), rel=1e-5)
    assert float(whole.weight) == sum(float(part.weight) for part in parts) == 4


def test_a_frozen_body_gets_no_gradient_and_the_head_does() -> None:
    decoder = model(HeadConfig(layers=1))
    assert decoder.heads is not None
    heads = decoder.heads
    decoder.requires_grad_(False)
    heads.requires_grad_()
    loss = objective().loss(
        decoder, objective().prepare(rows(TEXTS, [0, 1, 1, 0]), decoder, GENERATOR)
    )
    loss.sum.backward()
    inside = {f"heads.{name}" for name, _ in heads.named_parameters()}
    for name, parameter in decoder.named_parameters():
        assert (parameter.grad is not None) == (name in inside), name
    assert all(float(p.grad.abs().sum()) > 0 for p in heads.parameters() if p.grad is not None)


def test_smoothing_spreads_a_part_of_the_target() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0]])
    logprobs = logits.log_softmax(-1)[0]
    expected = -0.9 * logprobs[1] - 0.1 * logprobs.mean()
    assert label_loss(logits, torch.tensor([1]), 0.1).item() == pytest.approx(expected.item())
