"""What goes wrong: clients that leave or are slow, full queues, faults of the engine."""

from __future__ import annotations

import http.client
import json
import threading
from typing import Any
from urllib.parse import urlsplit

from asking import LONG, eventually, post
from hanlin.config import BatchingConfig


def test_a_client_that_leaves_frees_its_place_within_a_step(running, slow):
    server = running()
    for stream in (True, False):
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
        body = json.dumps({**LONG, "stream": stream})
        connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
        eventually(lambda: server.service.statistics().running == 1)
        steps = server.service.statistics().steps
        connection.sock.close()
        eventually(lambda: server.service.statistics().running == 0)
        assert server.service.statistics().steps <= steps + 25
        assert server.service.statistics().blocks_held == 0
        assert server.service.statistics().ended["cancelled"] == 1 + (not stream)
    slow.set()
    eventually(lambda: "hanlin_aborted_total 2" in server.service.metrics.render(None))


def test_a_full_queue_says_when_to_come_again(running, slow):
    room = BatchingConfig(max_running=1, max_waiting=1, step_tokens=16, block_tokens=4)
    server = running(batching=room)
    threads = [threading.Thread(target=lambda: post(server.url, LONG).read()) for _ in range(2)]
    threads[0].start()
    eventually(lambda: server.service.statistics().running == 1)
    threads[1].start()
    eventually(lambda: server.service.statistics().waiting == 1)
    response = post(server.url, LONG)
    assert response.status == 429 and int(response.headers["Retry-After"]) >= 1
    error = json.loads(response.read())["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "queue_full")
    slow.set()
    for thread in threads:
        thread.join()


def test_waiting_prompts_are_bounded_by_tokens_too(running, slow):
    server = running(max_waiting_tokens=50)
    first = threading.Thread(target=lambda: post(server.url, {"prompt": [90] * 60}).read())
    first.start()
    eventually(lambda: bool(server.service._live))
    refused = post(server.url, {"prompt": [90] * 60})
    assert refused.status == 429 and b"max_waiting_tokens" in refused.read()
    slow.set()
    first.join()


def test_a_text_that_brings_the_engine_down_fails_alone(running, monkeypatch, caplog):
    from hanlin.generation.engine import Engine

    take, poison = Engine.take, 77

    def brittle(self: Engine, draft: Any, token: int) -> None:
        if poison in draft.prompt and len(draft.ids) == 3:
            raise RuntimeError("the secret text")
        take(self, draft, token)

    server = running()
    wanted = json.loads(post(server.url, {**LONG, "seed": 1}).read())["choices"][0]["text"]
    monkeypatch.setattr(Engine, "take", brittle)
    found: dict[int, Any] = {}

    def good(number: int) -> None:
        body = {**LONG, "seed": 1, "stream": number == 0}
        found[number] = post(server.url, body).read().decode()

    def bad() -> None:
        found[9] = post(server.url, {"prompt": [90, poison], "max_tokens": 9, "ignore_eos": True})

    threads = [threading.Thread(target=good, args=(n,)) for n in range(3)]
    threads.append(threading.Thread(target=bad))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[9].status == 500
    error = json.loads(found[9].read())["error"]
    assert error["code"] == "engine_fault" and "secret" not in json.dumps(error)
    for number in (1, 2):
        assert json.loads(found[number])["choices"][0]["text"] == wanted
    lines = [line[6:] for line in found[0].split("\n\n") if line.startswith("data: {")]
    assert "".join(json.loads(line)["choices"][0]["text"] for line in lines) == wanted
    assert json.loads(post(server.url, {**LONG, "seed": 1}).read())["choices"][0]["text"] == wanted
    assert server.service.state == "ready" and "secret" not in caplog.text
    assert not server.service._live and not server.service._alone


def test_a_stream_says_that_it_lives_and_ends_with_an_error_event(running, slow, monkeypatch):
    server = running(ping_seconds=0.01)
    response = post(server.url, {**LONG, "max_tokens": 3, "stream": True})
    assert response.readline() == b": ping\n"  # while the engine has not made its first step
    slow.set()
    text = response.read().decode()
    assert text.endswith("data: [DONE]\n\n")

    def broken(*_: Any) -> Any:
        raise RuntimeError("no")

    monkeypatch.setattr("hanlin.serving.completions.finish_of", broken)
    text = post(server.url, {**LONG, "max_tokens": 3, "stream": True}).read().decode()
    last, end = text.strip().split("\n\n")[-2:]
    assert json.loads(last.removeprefix("data: "))["error"]["type"] == "server_error"
    assert end == "data: [DONE]"


def test_more_than_it_can_take_is_refused_and_the_rest_answered(running):
    room = BatchingConfig(max_running=2, max_waiting=2, step_tokens=16, block_tokens=4)
    server = running(batching=room)
    body = {**LONG, "max_tokens": 10, "seed": 1}
    found: list[tuple[int, bytes]] = []

    def ask() -> None:
        for _ in range(3):
            response = post(server.url, body)
            found.append((response.status, response.read()))

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for status, _ in found} <= {200, 429} and len(found) == 30
    texts = {json.loads(raw)["choices"][0]["text"] for status, raw in found if status == 200}
    assert len(texts) == 1
    counts = server.service.statistics()
    assert (counts.waiting, counts.running, counts.blocks_held) == (0, 0, 0)


def test_a_reader_who_takes_nothing_is_let_go():
    import asyncio

    from hanlin.serving.streaming import EventStream

    gone: list[bool] = []

    async def endless() -> Any:
        while True:
            yield {"text": "a"}

    async def never(*_: Any) -> Any:
        await asyncio.Event().wait()

    stream = EventStream(
        endless(), [], ping_seconds=9, write_seconds=0.05, on_gone=lambda: gone.append(True)
    )
    asyncio.run(stream({"type": "http"}, never, never))
    assert gone == [True]


def test_a_text_ends_when_its_time_is_over(running, slow):
    server = running(request_seconds=0.15)
    found = json.loads(post(server.url, LONG).read())["choices"][0]
    assert (found["finish_reason"], found["stop_reason"]) == ("length", "deadline")


def test_a_text_whose_logits_are_no_numbers_is_told_the_step_and_others_go_on(running, monkeypatch):
    from hanlin.generation import paged_texts
    from hanlin.generation.drawing import draw_next

    poison = 77

    def harmed(logits: Any, jobs: Any, *rest: Any, **more: Any) -> Any:
        logits = logits.clone()
        for row, job in enumerate(jobs):
            if poison in job.draft.prompt and len(job.draft.ids) == 3:
                logits[row, 0] = float("nan")
        return draw_next(logits, jobs, *rest, **more)

    server = running()
    monkeypatch.setattr(paged_texts, "draw_next", harmed)
    body = {"prompt": [90, poison], "max_tokens": 9, "ignore_eos": True}
    response = post(server.url, body)
    error = json.loads(response.read())["error"]
    assert (response.status, error["code"], error["type"]) == (500, "not_finite", "server_error")
    assert "not finite at step 4 of this text" in error["message"]
    events = post(server.url, {**body, "stream": True}).read().decode().strip().split("\n\n")
    assert json.loads(events[-2].removeprefix("data: "))["error"]["code"] == "not_finite"
    assert post(server.url, {**LONG, "seed": 1}).status == 200
    assert server.service.state == "ready"
