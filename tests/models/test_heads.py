"""A head: what it reads, what it does not, and what comes back from a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from hanlin.config import HeadConfig, ModelConfig
from hanlin.errors import ModelError
from hanlin.models import (
    ClassifierHead,
    Decoder,
    ReleasedHead,
    attach_heads,
    build_head,
    build_model,
    choose_head,
    classify_embeddings,
    classify_ids,
    detach_heads,
    load_release,
    read_head,
    save_release,
)
from hanlin.models.heads import pad_rows

LAYOUTS = [
    HeadConfig(),
    HeadConfig(pool="last", layers=2),
    HeadConfig(layers=1, kind="blocks"),
    HeadConfig(pool="last", layers=1, kind="blocks"),
]
TEXTS = [[5, 6, 7, 8, 9], [3], [4, 4, 2]]


def decoder(family: str = "qwen3") -> Decoder:
    shape = ModelConfig(
        vocab_size=64,
        hidden_size=16,
        num_layers=2,
        num_heads=2,
        context_length=32,
        family=family,  # type: ignore[arg-type]
        zero_init=False,
    )
    return build_model(shape, seed=1).eval()


def shaken(model: Decoder, layout: HeadConfig) -> ClassifierHead:
    """Return a head that says something: no part of it is zero."""
    head = build_head(model.config, layout, ("bad", "fair", "good"), seed=2)
    draws = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=draws))
    return head


@pytest.mark.parametrize("family", ["qwen3", "gpt2"])
@pytest.mark.parametrize("layout", LAYOUTS)
@torch.no_grad()
def test_neither_padding_nor_the_batch_changes_what_is_said(
    layout: HeadConfig, family: str
) -> None:
    model = decoder(family)
    head = shaken(model, layout)
    ids, mask = pad_rows(TEXTS, "cpu")
    together = classify_ids(model, head, ids, mask)
    for row, text in enumerate(TEXTS):
        alone = classify_ids(model, head, *pad_rows([text], "cpu"))
        torch.testing.assert_close(together[row], alone[0], rtol=1e-5, atol=1e-5)
    ids[~mask] = 11  # what stands in the padding is not read
    torch.testing.assert_close(classify_ids(model, head, ids, mask), together)


@torch.no_grad()
def test_a_fresh_head_finds_every_label_equally_likely() -> None:
    model = decoder()
    for layout in LAYOUTS:
        head = build_head(model.config, layout, ("a", "b"), seed=1)
        assert classify_ids(model, head, *pad_rows(TEXTS, "cpu")).eq(0).all()


def test_embeddings_stand_in_place_of_ids_and_carry_a_gradient() -> None:
    model = decoder()
    head = shaken(model, LAYOUTS[0])
    ids, mask = pad_rows(TEXTS, "cpu")
    embeddings = model.embedding(ids).detach().requires_grad_()
    logits = classify_embeddings(model, head, embeddings, mask)
    torch.testing.assert_close(logits, classify_ids(model, head, ids, mask))
    logits.logsumexp(-1).sum().backward()
    assert embeddings.grad is not None
    assert embeddings.grad[mask].abs().sum(-1).gt(0).all()
    assert embeddings.grad[~mask].eq(0).all()


def test_heads_are_put_on_and_taken_off_again() -> None:
    model = decoder()
    before = set(model.state_dict())
    heads = [shaken(model, layout) for layout in LAYOUTS]
    attach_heads(model, heads)
    assert any(name.startswith("heads.3.blocks.0") for name in model.state_dict())
    assert detach_heads(model) == heads
    assert set(model.state_dict()) == before


@pytest.mark.parametrize("layout", LAYOUTS)
@torch.no_grad()
def test_a_released_head_says_the_same_to_the_bit(layout: HeadConfig, tmp_path: Path) -> None:
    model = decoder()
    head = shaken(model, layout)
    place = tmp_path / "model"
    save_release(place, model, heads=[ReleasedHead("mood", head, 1.5, 16, {"examples": 3})])
    loaded = load_release(place)
    back = read_head(place, choose_head(place, ""), loaded.config)
    assert (back.head.labels, back.temperature, back.context) == (head.labels, 1.5, 16)
    rows = pad_rows(TEXTS, "cpu")
    assert torch.equal(classify_ids(loaded, back.head, *rows), classify_ids(model, head, *rows))
    assert not [*place.rglob("*.pt"), *place.rglob("*.bin"), *place.rglob("*.pkl")]


@torch.no_grad()
def test_transformers_reads_the_decoder_and_passes_the_head_over(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    place = release(tmp_path / "model", "mood")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(place).eval()
    ids = torch.tensor([TEXTS[0]])
    torch.testing.assert_close(theirs(ids).logits, load_release(place)(ids), rtol=1e-4, atol=1e-4)


def release(folder: Path, *names: str) -> Path:
    model = decoder()
    heads = [ReleasedHead(name, shaken(model, LAYOUTS[0]), 1.0, 16) for name in names]
    save_release(folder, model, heads=heads)
    return folder


def test_the_only_head_need_not_be_named(tmp_path: Path) -> None:
    assert choose_head(release(tmp_path / "one", "mood"), "") == "mood"
    two = release(tmp_path / "two", "mood", "topic")
    assert choose_head(two, "topic") == "topic"
    with pytest.raises(ModelError, match="several heads: mood, topic"):
        choose_head(two, "")
    with pytest.raises(ModelError, match="no head 'tone'; it has mood, topic"):
        choose_head(two, "tone")
    with pytest.raises(
        ModelError, match=r"never taught to classify by a head\. A stage of the kind"
    ):
        choose_head(release(tmp_path / "none"), "")


def test_a_head_beside_other_weights_or_damaged_is_refused(tmp_path: Path) -> None:
    place = release(tmp_path / "model", "mood")
    shape = decoder().config
    settings = place / "heads" / "mood" / "head.json"
    written = json.loads(settings.read_text(encoding="utf-8"))
    for change, message in (
        ({"decoder": "other"}, "learnt on other weights"),
        ({"format": 2}, "no head of the format 1"),
        ({"labels": ["only"]}, "does not hold the tensors"),
        ({"settings": {"pool": "most"}}, "cannot be used"),
    ):
        settings.write_text(json.dumps({**written, **change}), encoding="utf-8")
        with pytest.raises(ModelError, match=message):
            read_head(place, "mood", shape)
