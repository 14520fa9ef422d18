"""The worker: many threads send, each gets what it would get alone, and it always ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from hanlin.config import BatchingConfig, SamplingConfig
from hanlin.errors import BusyError, HanlinError
from hanlin.generation import BatchWorker, Scheduler

SMALL = BatchingConfig(max_running=4, step_tokens=16, block_tokens=4, max_waiting=100)
WARM = SamplingConfig(temperature=1.0, max_tokens=20)


@pytest.mark.parametrize("family", ["gpt2", "qwen3"])
def test_streams_of_many_threads_equal_whole_texts_alone(engine, family):
    writer = engine(family)
    asked = [(f"雨 {seed}", WARM.model_copy(update={"seed": seed})) for seed in range(12)]

    def read(request) -> list[str]:
        handle = worker.submit(*request)
        pieces = list(handle)
        assert handle.done and list(handle) == [] and handle.take() == []
        assert "".join(pieces) == handle.result().text
        return pieces

    with BatchWorker(Scheduler(writer, SMALL)) as worker, ThreadPoolExecutor(6) as threads:
        found = list(threads.map(read, asked))
    for request, pieces in zip(asked, found, strict=True):
        assert pieces == list(writer.stream(*request))
        assert "".join(pieces) == writer.generate(*request).text
    assert worker.statistics().ended.keys() <= {"stop", "length"}


def test_a_stop_string_ends_a_stream_and_is_not_part_of_it(engine):
    writer = engine()
    whole = writer.generate("a", WARM.model_copy(update={"seed": 3})).text
    stop = WARM.model_copy(update={"seed": 3, "stop": (whole[2:4],)})
    with BatchWorker(Scheduler(writer, SMALL)) as worker:
        handle = worker.submit("a", stop)
        assert "".join(handle) == whole[: whole.index(whole[2:4])]
        assert handle.result().finish_reason == "stop"


def test_closing_finishes_what_was_sent_or_cancels_it(engine):
    writer = engine()
    worker = BatchWorker(Scheduler(writer, SMALL))
    handles = [worker.submit([5] * 9, WARM) for _ in range(6)]
    worker.close()
    assert {handle.result().finish_reason for handle in handles} <= {"stop", "length"}
    with pytest.raises(HanlinError, match="takes no requests"):
        worker.submit([5], WARM)
    worker = BatchWorker(Scheduler(writer, SMALL))
    handles = [worker.submit([5] * 9, WARM) for _ in range(30)]
    worker.close(cancel=True)
    assert "cancelled" in {handle.result().finish_reason for handle in handles}
    assert worker.scheduler.texts.memory.held == 0


def test_cancelling_from_outside_ends_the_stream(engine):
    with BatchWorker(Scheduler(engine(), SMALL)) as worker:
        handle = worker.submit([5] * 9, WARM)
        handle.cancel()
        list(handle)
        assert handle.result().finish_reason in ("cancelled", "stop", "length")


def test_a_notice_comes_with_every_piece_and_at_the_end(engine):
    pieces: list[str] = []
    with BatchWorker(Scheduler(engine(), SMALL)) as worker:
        ready = worker.submit("a", WARM, notify=lambda: pieces.append("now"))
        text = ready.result().text
        assert pieces and "".join(ready.take()) == text and ready.take() == []


def test_a_notice_that_fails_ends_its_own_text_alone(engine):
    def broken() -> None:
        raise RuntimeError("the loop is closed")

    with BatchWorker(Scheduler(engine(), SMALL)) as worker:
        bad, good = worker.submit("a", WARM, notify=broken), worker.submit("a", WARM)
        with pytest.raises(RuntimeError, match="the loop is closed"):
            bad.result()
        assert good.result().finish_reason in ("stop", "length")


def test_a_full_queue_refuses_in_the_senders_thread(engine):
    config = SMALL.model_copy(update={"max_waiting": 0})
    with BatchWorker(Scheduler(engine(), config)) as worker, pytest.raises(BusyError):
        worker.submit("a", WARM)


def test_an_error_reaches_everyone_who_waits(engine):
    scheduler = Scheduler(engine(), SMALL)

    def broken(portions):
        raise RuntimeError("out of memory")

    scheduler.texts.reader.read = broken
    worker = BatchWorker(scheduler)
    handle = worker.submit("a", WARM)
    with pytest.raises(HanlinError, match="out of memory"):
        handle.result()
    with pytest.raises(HanlinError, match="out of memory"):
        list(handle)
    with pytest.raises(HanlinError, match="takes no requests"):
        worker.submit("a", WARM)
    worker.close()


def test_waiting_for_a_result_may_end_before_the_text_does(engine):
    scheduler = Scheduler(engine(), SMALL)
    worker = BatchWorker(scheduler)
    step = scheduler.step
    scheduler.step = list  # nothing is written
    handle = worker.submit("a", WARM)
    with pytest.raises(TimeoutError):
        handle.result(timeout=0.0)
    scheduler.step = step
    worker.close()
    assert handle.done
