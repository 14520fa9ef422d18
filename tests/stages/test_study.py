"""The study finds what a model's predictions rest on."""

from __future__ import annotations

import torch

from hanlin.config import ModelConfig
from hanlin.evaluation import Continuation
from hanlin.models import build_model, resolve_model
from hanlin.stages.study import study_context

SHAPE = {"vocab_size": 64, "hidden_size": 32, "num_heads": 2, "num_layers": 1}


def texts(count: int = 12) -> list[Continuation]:
    generator = torch.Generator().manual_seed(1)
    rows = torch.randint(0, 64, (count, 40), generator=generator).tolist()
    return [Continuation(row[:16], row[16:], "") for row in rows]


def test_a_model_that_hears_only_the_last_token_needs_nothing_else():
    model = build_model(resolve_model(ModelConfig(**SHAPE), 64), seed=1)
    with torch.no_grad():
        model.embedding.weight.normal_(generator=torch.Generator().manual_seed(2))
        model.blocks[0].attention.output.weight.zero_()
    found = study_context(model.eval(), {"en": texts()}, seed=1)["en"]
    assert abs(found["older_context_adds"]) < 1e-4 and abs(found["positions_adds"]) < 1e-4
    assert abs(found["last_token_adds"]) > 0.1
    assert found["places"] == 12 * 4


def test_texts_shorter_than_a_window_are_left_out():
    model = build_model(resolve_model(ModelConfig(**SHAPE), 64), seed=1).eval()
    short = [Continuation([1, 2], [3, 4], "")] * 20
    assert study_context(model, {"zh": short}, seed=1) == {}
