"""Examples rewritten against the current model: within budgets, by chosen families, repeatably."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hanlin.attacks import units_of
from hanlin.config import AdversarialConfig, HeadConfig, ModelConfig
from hanlin.data import READ, ExampleRows, hide_tokens
from hanlin.models import Decoder, attach_heads, build_head, build_model
from hanlin.objectives import Adversarial, Answers, Labels, Rewriter
from hanlin.objectives.base import Attackable
from hanlin.tokenizers import Tokenizer, train_tokenizer

TEXTS = [
    "这家店的味道很好，服务也好。",
    "送餐很慢，味道不好，下次不来。",
    "环境干净，价格便宜，非常满意。",
    "太差，菜是冷的，再也不会来。",
    "老板热情，菜很新鲜。",
    "等了很久，非常失望。",
]
LENGTH = 80


def chance(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer("bpe", [*TEXTS, "好坏号浩女子"] * 2, 360)


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> Decoder:
    shape = ModelConfig(
        vocab_size=tokenizer.vocab_size, hidden_size=16, num_heads=2, num_layers=1,
        context_length=LENGTH,
    )  # fmt: skip
    made = build_model(shape, seed=1)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3, generator=chance())
    return made


def written_out(tokenizer: Tokenizer) -> Tensor:
    """Return rows of texts with a label that is written out, and one row of plain text."""
    examples = []
    for number, text in enumerate(TEXTS):
        prompt = [0, *tokenizer.encode(text), tokenizer.control["<|target|>"]]
        answer = [*tokenizer.encode("坏" if number % 2 else "好"), 0]
        ids = [*prompt, *answer]
        examples.append(hide_tokens(ids, [n >= len(prompt) for n in range(len(ids))]))
    packed = ExampleRows.pack(examples, row_length=LENGTH)
    rows = [packed.row(n, 0) for n in range(packed.num_rows)]
    plain = np.full(LENGTH + 1, -1, dtype=np.int32)
    plain[:4] = [0, *tokenizer.encode("老板")[:2], 0]
    return torch.from_numpy(np.stack([*rows, plain]))


def texts_of(rows: Tensor, tokenizer: Tokenizer) -> list[str]:
    """Return the texts that rows give to read, sorted."""
    found = []
    for row in rows.tolist():
        for number in row:
            if number == READ:
                found.append("")
            elif number < READ and READ - number < tokenizer.vocab_size:
                found[-1] += f"{READ - number} "
    return sorted(tokenizer.decode(map(int, ids.split())) for ids in found)


def rewrite(
    rows: Tensor,
    model: Decoder,
    tokenizer: Tokenizer,
    objective: Attackable[object] | None = None,
    seed: int = 1,
    **settings: object,
) -> Tensor:
    config = AdversarialConfig.model_validate({"families": ["sound"], "share": 1.0, **settings})
    rewriter = Rewriter(objective or Answers(eot_id=0), tokenizer, config)
    return rewriter.rewrite(rows, model, chance(seed))


def changed(before: str, after: str) -> int:
    return sum(a != b for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("tries", [1, 3])
def test_texts_change_within_their_budget_and_answers_do_not(
    model: Decoder, tokenizer: Tokenizer, tries: int
) -> None:
    rows = written_out(tokenizer)
    found = rewrite(rows, model, tokenizer, tries=tries, budget=0.2)
    before, after = texts_of(rows, tokenizer), texts_of(found, tokenizer)
    assert before == sorted(TEXTS)
    for text in before:
        count = min(changed(text, other) for other in after if len(text) == len(other))
        assert 0 < count <= int(0.2 * len(units_of(text)))
    learnt = [sorted(n for n in rows_.flatten().tolist() if n > 0) for rows_ in (rows, found)]
    assert learnt[0] == learnt[1]
    assert (found == rows[-1]).all(1).any()  # the row of plain text


def test_chance_is_drawn_from_the_generator_alone(model: Decoder, tokenizer: Tokenizer) -> None:
    rows = written_out(tokenizer)
    first, second, other = (rewrite(rows, model, tokenizer, seed=s) for s in (1, 1, 2))
    assert torch.equal(first, second)
    assert texts_of(first, tokenizer) != texts_of(other, tokenizer)


def test_only_a_share_is_rewritten(model: Decoder, tokenizer: Tokenizer) -> None:
    rows = written_out(tokenizer)
    kept = [
        len(
            set(TEXTS)
            & set(texts_of(rewrite(rows, model, tokenizer, share=0.3, seed=s), tokenizer))
        )
        for s in range(8)
    ]
    assert 2 < sum(kept) / len(kept) < 6


def test_a_family_that_is_held_out_leaves_no_trace(model: Decoder, tokenizer: Tokenizer) -> None:
    rows = written_out(tokenizer)
    texts = texts_of(
        rewrite(rows, model, tokenizer, families=["marks"], held_out=["pinyin"], budget=1.0),
        tokenizer,
    )
    assert texts != sorted(TEXTS)
    assert not any(letter.isascii() and letter.isalpha() for text in texts for letter in text)
    assert sorted("".join(c for c in t if c not in " ·*、.-|") for t in texts) == sorted(TEXTS)


def test_the_worst_of_several_rewritings_is_taken(model: Decoder, tokenizer: Tokenizer) -> None:
    answers = Answers(eot_id=0)

    def loss(rows: Tensor) -> float:
        with torch.no_grad():
            return answers.loss(model, answers.prepare(rows, model, chance())).sum.item()

    rows = written_out(tokenizer)
    blind = [loss(rewrite(rows, model, tokenizer, tries=1, seed=s)) for s in range(4)]
    led = [loss(rewrite(rows, model, tokenizer, tries=8, seed=s)) for s in range(4)]
    assert sum(led) > sum(blind)


def test_labels_of_a_head_are_rewritten_too(model: Decoder, tokenizer: Tokenizer) -> None:
    head = build_head(model.config, HeadConfig(), ("bad", "good"), seed=1)
    torch.nn.init.normal_(head.weight, generator=chance())
    examples = []
    for number, text in enumerate(TEXTS):
        ids = [0, *tokenizer.encode(text), tokenizer.vocab_size + number % 2]
        examples.append(hide_tokens(ids, [False] * len(ids)))
    packed = ExampleRows.pack(examples, row_length=LENGTH)
    labelled = [packed.row(n, 0) for n in range(packed.num_rows)]
    rows = torch.cat([torch.from_numpy(np.stack(labelled)), written_out(tokenizer)])
    labels = Labels(
        Answers(eot_id=0), vocab_size=tokenizer.vocab_size, class_weights=[[1, 1]], counts=[1]
    )
    attach_heads(model, [head])
    config = AdversarialConfig(method="fgm", families=("sound", "split"), share=1.0)
    objective = Adversarial(labels, config, Rewriter(labels, tokenizer, config))
    try:
        found = objective._rewriting.rewrite(rows, model, chance())  # type: ignore[union-attr]
        prepared = objective.prepare(rows, model, chance())
        loss = objective.loss(model, prepared)
        plain = labels.loss(model, labels.prepare(rows, model, chance()))
    finally:
        model.heads = None
    assert not set(TEXTS) & set(texts_of(found, tokenizer))
    nodes = [n for n in found.flatten().tolist() if READ - n >= tokenizer.vocab_size]
    assert sorted(READ - n - tokenizer.vocab_size for n in nodes) == [0, 0, 0, 1, 1, 1]
    assert float(loss.weight) == float(plain.weight)
    assert loss.parts["attacked"] > loss.parts["clean"]


def test_what_no_longer_fits_stays_as_it_was(model: Decoder, tokenizer: Tokenizer) -> None:
    ids = [0, *tokenizer.encode(TEXTS[0]), tokenizer.control["<|target|>"]]
    answer = [*tokenizer.encode("好"), 0]
    full = hide_tokens([*ids, *answer], [n >= len(ids) for n in range(len(ids) + len(answer))])
    tight = torch.from_numpy(full)[None]
    assert torch.equal(rewrite(tight, model, tokenizer, families=["marks"], budget=1.0), tight)
    roomy = torch.nn.functional.pad(tight, (0, 60), value=-1)
    found = rewrite(roomy, model, tokenizer, families=["marks"], budget=1.0)
    assert not torch.equal(found, roomy)
