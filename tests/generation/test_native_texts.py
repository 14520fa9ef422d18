"""The scheduler on native sessions: to the bit as alone, reuse by copies, limits, no torch."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hanlin.config import BatchingConfig, SamplingConfig
from hanlin.errors import BusyError, UserError
from hanlin.generation import BatchWorker, Scheduler
from hanlin.generation.native import NativeEngine, is_available, load_native
from hanlin.generation.native.memory import Kept, SessionMemory
from hanlin.generation.native.model import Portion
from hanlin.models import save_release

pytestmark = pytest.mark.skipif(not is_available(), reason="the native core is not built here")

SMALL = BatchingConfig(max_running=4, step_tokens=12, block_tokens=4, max_waiting=100)
GREEDY = SamplingConfig(temperature=0, max_tokens=12)
HELD = [("gpt2", "fp32"), ("qwen3", "bf16"), ("gpt2", "int8"), ("qwen3", "int4")]


@pytest.fixture
def native(engine, tmp_path: Path, tokenizer) -> Callable[..., NativeEngine]:
    """Return a maker of native engines around the tiny models of `engine`."""

    def build(family: str = "qwen3", weights: str = "fp32", **changes: object) -> NativeEngine:
        save_release(tmp_path / "model", engine(family, **changes).model)
        return NativeEngine(load_native(tmp_path / "model", weights=weights, threads=2), tokenizer)

    return build


def settings(rng: random.Random) -> SamplingConfig:
    """Settings of every kind that the native engine follows, seeded."""
    return SamplingConfig(
        temperature=rng.choice([0.0, 0.7, 1.3]),
        top_k=rng.choice([0, 0, 5]),
        top_p=rng.choice([1.0, 0.9]),
        repetition_penalty=rng.choice([1.0, 1.0, 1.3]),
        frequency_penalty=rng.choice([0.0, 0.0, 0.4]),
        max_tokens=rng.randint(1, 30),
        stop=rng.choice([(), ("a",), ("\n", "。")]),
        seed=rng.randint(0, 10_000),
    )


def requests(rng: random.Random, count: int) -> list[tuple[list[int], SamplingConfig]]:
    """Prompts of every length, many with a beginning in common."""
    stem = [3 + rng.randrange(256) for _ in range(20)]
    return [
        (
            stem[: rng.randint(0, 20)] + [3 + rng.randrange(256) for _ in range(rng.randint(1, 9))],
            settings(rng),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize(("family", "weights"), HELD)
def test_random_arrivals_write_what_each_request_does_alone(native, family, weights):
    writer, rng = native(family, weights), random.Random(7)
    asked = requests(rng, 14)
    scheduler = Scheduler(writer, SMALL.model_copy(update={"cache_tokens": 160}))
    jobs = []
    while len(jobs) < len(asked) or scheduler.busy:
        if len(jobs) < len(asked) and rng.random() < 0.5:
            jobs.append(scheduler.submit(*asked[len(jobs)]))
        else:
            scheduler.step()
    assert [job.complete() for job in jobs] == [writer.generate(*request) for request in asked]
    assert scheduler.statistics().reused_tokens > 0
    memory = scheduler.texts.memory
    assert memory.held == 0 and memory.evictions > 0
    assert memory.registered <= memory.num_blocks


@pytest.mark.parametrize("weights", ["fp32", "bf16", "int8", "int4"])
def test_logits_do_not_depend_on_how_a_prompt_is_cut_or_whom_it_is_taken_over_from(native, weights):
    model = native("qwen3", weights, context_length=96, num_kv_heads=2).model
    ids = np.random.default_rng(3).integers(0, 200, 90)
    whole = model.session(90).read(ids)
    source = model.session(64)
    source.read(ids[:60])
    for cuts in ([1, 1, 7, 48], [50], [13, 3, 3]):
        session, start = model.session(90), 0
        if cuts == [50]:
            session.take_over(source, 33)
            start = 33
        for count in cuts:
            session.read(ids[start : start + count])
            start += count
        assert np.array_equal(session.read(ids[start:]), whole)


@pytest.mark.parametrize("weights", ["fp32", "bf16", "int8", "int4"])
def test_prompts_read_side_by_side_are_those_read_alone(native, weights):
    model = native("qwen3", weights, context_length=96, num_kv_heads=2).model
    rng = np.random.default_rng(4)
    texts = [rng.integers(0, 200, length).tolist() for length in (1, 70, 3, 48, 1, 19, 90)]
    alone = [model.session(96) for _ in texts]
    wanted = [session.read(np.array(text)) for session, text in zip(alone, texts, strict=True)]
    sessions = [model.session(96) for _ in texts]
    halves = [len(text) // 2 for text in texts]
    first = [
        Portion(session, text[:half], is_wanted=False)
        for session, text, half in zip(sessions, texts, halves, strict=True)
        if half
    ]
    assert model.read(first) == []
    rest = [
        Portion(session, text[half:], is_wanted=place != 3)
        for place, (session, text, half) in enumerate(zip(sessions, texts, halves, strict=True))
    ]
    found = model.read(rest)
    del wanted[3]
    assert len(found) == 6
    assert all(np.array_equal(one, other) for one, other in zip(found, wanted, strict=True))


def test_long_prompts_are_read_in_pieces_between_which_a_signal_is_heard(native, monkeypatch):
    writer = native(context_length=96)
    prompts = [[5 + n] * n for n in (1, 30, 7, 7, 50, 16)]
    whole = [writer.generate(prompt, GREEDY) for prompt in prompts]
    monkeypatch.setattr("hanlin.generation.native.engine._CHUNK", 8)
    assert writer.generate_batch(prompts, GREEDY) == whole
    sizes = []
    read = type(writer.model).read
    monkeypatch.setattr(
        type(writer.model),
        "read",
        lambda model, portions: (
            sizes.append(sum(len(portion.tokens) for portion in portions)) or read(model, portions)
        ),
    )
    assert writer.generate_batch(prompts, GREEDY) == whole
    assert max(sizes) == 8


def test_a_session_takes_over_no_more_than_there_is_or_than_it_holds(native):
    model = native().model
    source, small = model.session(8), model.session(4)
    source.read(np.arange(6))
    for length in (5, 7):
        with pytest.raises(ValueError):
            small.take_over(source, length)
    assert small.length == 0


def test_what_a_text_has_read_is_taken_over_by_the_talk_that_goes_on(native):
    writer = native(context_length=96)
    scheduler = Scheduler(writer, SMALL)
    first = scheduler.submit([5] * 10, GREEDY)
    scheduler.run()
    talk = [*first.draft.prompt, *first.draft.ids, 7, 8]
    second = scheduler.submit(talk, GREEDY)
    scheduler.run()
    assert second.reused >= len(first.draft.prompt) + len(first.draft.ids) - 1
    assert second.complete() == writer.generate(talk, GREEDY)
    none = Scheduler(writer, SMALL.model_copy(update={"prefix_reuse": False}))
    job = none.submit(talk, GREEDY)
    none.run()
    assert job.complete() == second.complete() and none.texts.memory.registered == 0


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_cancelling_frees_the_memory_within_one_step(native, steps):
    scheduler = Scheduler(native(), SMALL)
    job = scheduler.submit([5] * 20, SamplingConfig(temperature=1, max_tokens=20, seed=1))
    for _ in range(steps):
        scheduler.step()
    job.cancelled = True
    assert job in scheduler.step()
    assert job.complete().finish_reason == "cancelled"
    assert scheduler.texts.memory.held == 0 and not scheduler.busy


def test_a_request_waits_until_there_is_memory(native):
    writer = native()
    scheduler = Scheduler(writer, SMALL.model_copy(update={"cache_tokens": 24}))
    jobs = [scheduler.submit([5 + n] * 9, GREEDY) for n in range(3)]
    scheduler.step()
    assert len(scheduler.running) == 1
    scheduler.run()
    assert [job.complete() for job in jobs] == [
        writer.generate([5 + n] * 9, GREEDY) for n in range(3)
    ]
    with pytest.raises(UserError, match="the cache holds 24"):
        scheduler.submit([5] * 20, GREEDY)


def test_what_the_core_cannot_do_is_refused(native):
    writer = native()
    scheduler = Scheduler(writer, SMALL.model_copy(update={"max_waiting": 1}))
    with pytest.raises(UserError, match="does not follow the setting guidance"):
        scheduler.submit([5], GREEDY.model_copy(update={"guidance": 2.0}))
    scheduler.submit([5], GREEDY)
    with pytest.raises(BusyError):
        scheduler.submit([5], GREEDY)


def test_streams_of_many_threads_equal_whole_texts_alone(native):
    writer = native()
    warm = SamplingConfig(temperature=1.0, max_tokens=20)
    asked = [(f"雨 {seed}", warm.model_copy(update={"seed": seed})) for seed in range(8)]
    with BatchWorker(Scheduler(writer, SMALL)) as worker, ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda request: "".join(worker.submit(*request)), asked))
    assert found == [writer.generate(*request).text for request in asked]


def test_parked_sessions_give_way_and_the_one_used_last_stays():
    memory = SessionMemory(num_blocks=6, block_tokens=2)
    for name, start in (("one", 5), ("two", 7)):
        memory.take(2)
        memory.give_back(Kept(name, np.array([start, start]), 2), park=True)
    assert memory.match([5, 5, 5], []) == ("one", 2) and memory.registered == 4
    memory.take(3)
    assert memory.match([7, 7], []) == (None, 0) and memory.match([5, 6], []) == ("one", 1)
    assert memory.evictions == 2 and memory.available == 3


def test_serving_natively_loads_no_torch(native, tmp_path: Path):
    native(vocab_size=400)
    code = (
        "import sys; from pathlib import Path; from hanlin.config import SamplingConfig\n"
        "from hanlin.generation import BatchWorker, Scheduler\n"
        "from hanlin.generation.native import NativeEngine, load_native\n"
        "from hanlin.tokenizers import BpeTokenizer\n"
        "engine = NativeEngine(load_native(Path(sys.argv[1])), BpeTokenizer([]))\n"
        "with BatchWorker(Scheduler(engine)) as worker:\n"
        "    worker.submit('a', SamplingConfig(max_tokens=2)).result()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "model")], check=True)
