"""The native engine's cache in 32, 16 and 8 bits: as the decoder that hears rounded keys, sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hanlin.config import BatchingConfig, SamplingConfig
from hanlin.generation import Engine, Scheduler
from hanlin.generation.native import NativeEngine, is_available, load_core, load_native
from hanlin.models import save_release
from native_models import SHAPES, gap, ids_of, logits_of, make
from native_rounding import keep_rounded

pytestmark = pytest.mark.skipif(not is_available(), reason="the native core is not built here")

STEP = {16: 2.0**-11, 8: 1 / 254}
"""What one rounding moves a number by, in parts of the largest beside it."""


@pytest.mark.parametrize("instructions", ["auto", "portable"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bits", [16, 8])
def test_a_rounded_cache_is_the_decoder_that_hears_it_rounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str, instructions: str, bits: int
) -> None:
    """Where a number falls on the other side of a tie, by no more than its step."""
    model, ids = make(shape), ids_of(70)
    save_release(tmp_path / "m", model)
    found = load_native(tmp_path / "m", instructions=instructions, cache_bits=bits, threads=2)
    exact = logits_of(model, ids)
    keep_rounded(monkeypatch, bits)
    wanted = logits_of(model, ids)
    logits = found.session(70).read(ids, all=True)
    assert gap(logits[:1], wanted[:1]) < 1e-4
    assert gap(logits, wanted) < STEP[bits]
    assert gap(logits, exact) < 20 * STEP[bits]
    session = found.session(70)
    one_by_one = [session.read(ids[place : place + 1]) for place in range(70)]
    assert np.array_equal(np.stack(one_by_one), logits)


@pytest.mark.parametrize(("weights", "bits"), [("fp32", 32), ("bf16", 16), ("int8", 16)])
def test_weights_say_how_the_cache_is_kept_unless_it_is_asked_for(
    tmp_path: Path, weights: str, bits: int
) -> None:
    save_release(tmp_path / "m", make("qwen3"))
    model = load_native(tmp_path / "m", weights=weights)
    assert model.session(9).cache_bits == bits
    assert model.session(9, 8).cache_bits == 8
    assert load_native(tmp_path / "m", weights=weights, cache_bits=32).session(9).cache_bits == 32
    # 3 layers, 2 heads of 12 numbers padded to 16, keys and values
    assert [model.session(10, kind).bytes for kind in (32, 16, 8)] == [7680, 3840, 2400]


def test_a_beginning_is_taken_over_from_a_cache_of_the_same_kind_alone(tmp_path: Path) -> None:
    save_release(tmp_path / "m", make("gpt2"))
    model, ids = load_native(tmp_path / "m", weights="int8"), ids_of(20)
    for bits in (8, 16):
        whole, source, other = (model.session(20, bits) for _ in range(3))
        source.read(ids[:15])
        other.take_over(source, 11)
        assert np.array_equal(other.read(ids[11:]), whole.read(ids))
    with pytest.raises(ValueError, match="kept otherwise"):
        model.session(20, 8).take_over(source, 5)
    with pytest.raises(ValueError, match="a cache of 4 bits"):
        load_core().Session(model.core, 20, 4)


def test_numbers_that_no_half_holds_become_the_largest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, ids = make("gpt2", num_layers=1), ids_of(30)
    values = model.blocks[0].attention.qkv.weight.data[64:]
    values *= 1e6
    save_release(tmp_path / "m", model)
    keep_rounded(monkeypatch, 16)
    found = load_native(tmp_path / "m", cache_bits=16).session(30).read(ids, all=True)
    assert np.isfinite(found).all() and gap(found, logits_of(model, ids)) < 1e-3


@pytest.mark.parametrize("shape", ["gpt2", "qwen3"])
def test_texts_with_a_cache_in_sixteen_bits_are_those_of_torch(
    tmp_path: Path, tokenizer, shape: str
) -> None:
    """But for tokens that are as likely as each other to the step of the cache."""
    model = make(shape, vocab_size=tokenizer.vocab_size)
    save_release(tmp_path / "m", model)
    plain = Engine(model, tokenizer)
    fast = NativeEngine(load_native(tmp_path / "m", cache_bits=16), tokenizer)
    generator, greedy = np.random.default_rng(5), SamplingConfig(temperature=0, max_tokens=24)
    equal = 0
    for number in range(30):
        prompt = generator.integers(3, tokenizer.vocab_size, 1 + number).tolist()
        wanted, found = (engine.generate(prompt, greedy).ids for engine in (plain, fast))
        equal += wanted == found
        if wanted != found:
            place = next(i for i, (a, b) in enumerate(zip(wanted, found, strict=False)) if a != b)
            logits = logits_of(model, np.array([*prompt, *wanted[:place]]))[-1]
            apart = abs(logits[wanted[place]] - logits[found[place]])
            assert apart < 4 * STEP[16] * np.abs(logits).max()
    assert equal >= 27


def test_a_scheduler_may_keep_eight_bits(tmp_path: Path, tokenizer) -> None:
    save_release(tmp_path / "m", make("qwen3", vocab_size=tokenizer.vocab_size))
    small = NativeEngine(load_native(tmp_path / "m", cache_bits=8), tokenizer)
    writer = NativeEngine(load_native(tmp_path / "m"), tokenizer)
    scheduler = Scheduler(writer, BatchingConfig(block_tokens=4, cache_bits=8))
    greedy = SamplingConfig(temperature=0, max_tokens=12)
    jobs = [scheduler.submit([5 + n] * 9, greedy) for n in range(6)]
    scheduler.run()
    assert [job.complete() for job in jobs] == [
        small.generate([5 + n] * 9, greedy) for n in range(6)
    ]
