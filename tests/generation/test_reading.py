"""What the repeatable way stands on: a row's sums are the same in every place of a tile."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from hanlin.config import BatchingConfig
from hanlin.generation.reading import TILE, Portion, Reader


@pytest.mark.parametrize(("rows", "columns"), [(96, 32), (768, 256), (1000, 768)])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_product_gives_a_row_the_same_sums_in_every_place(rows, columns, kind):
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(rows, columns, generator=generator).to(kind)
    row = torch.randn(columns, generator=generator).to(kind)
    products = []
    for place in range(TILE):
        tile = torch.randn(TILE, columns, generator=generator).to(kind)
        tile[place] = row
        products.append(F.linear(tile, weight)[place])
    assert all(torch.equal(products[0], product) for product in products)


def tables(scattered: bool) -> list[int]:
    return [5, 2, 7] if scattered else [1, 2, 3]


@pytest.mark.parametrize("family", ["gpt2", "qwen3"])
@pytest.mark.parametrize("repeatable", [False, True])
@pytest.mark.parametrize("scattered", [False, True])
def test_portions_give_the_logits_of_the_whole_text(engine, family, repeatable, scattered):
    model = engine(family, attention="banded", band_width=5).model
    config = BatchingConfig(block_tokens=4, deterministic=repeatable)
    reader = Reader(model, config, num_blocks=8)
    ids, table = list(range(40, 51)), tables(scattered)
    assert reader.read([Portion(ids[:4], table, 0, False)]).shape == (0, model.config.vocab_size)
    reader.read([Portion(ids[4:8], table, 4, False)])
    logits = reader.read([Portion(ids[8:], table, 8, True), Portion([9], [6], 0, True)])
    with torch.inference_mode():
        torch.testing.assert_close(logits[0], model(torch.tensor([ids]))[0, -1])
        torch.testing.assert_close(logits[1], model(torch.tensor([[9]]))[0, -1])


def test_scattered_blocks_give_the_same_bits_as_neighbours(engine):
    model = engine("qwen3", num_kv_heads=2).model
    found = []
    for scattered in (False, True):
        reader = Reader(model, BatchingConfig(block_tokens=4, deterministic=True), num_blocks=8)
        found.append(reader.read([Portion(list(range(40, 51)), tables(scattered), 0, True)]))
    assert torch.equal(*found)


@pytest.mark.parametrize("family", ["gpt2", "qwen3"])
def test_a_cache_in_eight_bits_moves_logits_little_and_takes_a_third(engine, family):
    model = engine(family).model
    found, sizes = [], []
    for bits in (0, 8):
        reader = Reader(model, BatchingConfig(block_tokens=4, cache_bits=bits), num_blocks=8)
        reader.read([Portion(list(range(40, 50)), tables(True), 0, False)])
        found.append(reader.read([Portion([50], tables(True), 10, True)]))
        sizes.append(reader.cache.keys.nbytes)
    plain, small = (logits.log_softmax(-1) for logits in found)
    assert 0 < (plain.exp() * (plain - small)).sum() < 0.01
    assert sizes[1] < 0.4 * sizes[0]
