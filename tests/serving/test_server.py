"""A real server on a port: the official client, clients that leave, faults, and stopping."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from hanlin.config import BatchingConfig
from hanlin.serving import Access

LONG = {"prompt": "小猫", "max_tokens": 80, "ignore_eos": True}
SAID: Any = [{"role": "user", "content": "小猫"}]


def eventually(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def post(url: str, body: dict[str, Any], path: str = "/v1/completions") -> http.client.HTTPResponse:
    """Send a request; the connection closes once its answer was read."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    headers = {"Content-Type": "application/json", "Connection": "close"}
    connection.request("POST", path, json.dumps(body), headers)
    response = connection.getresponse()
    connection.close()
    return response


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Make each step of any scheduler wait until the event is set, for at most a while."""
    from hanlin.generation import Scheduler

    free, step = threading.Event(), Scheduler.step

    def slowly(self: Scheduler) -> Any:
        free.wait(0.05)
        return step(self)

    monkeypatch.setattr(Scheduler, "step", slowly)
    yield free
    free.set()


def test_the_official_client_is_content(running):
    server = running(access=Access(keys=("key-of-a-test",)))
    place: dict[str, Any] = {"base_url": f"{server.url}/v1", "max_retries": 0}
    with openai.OpenAI(api_key="key-of-a-test", **place) as client:
        _converse(client)
    wrong = openai.OpenAI(api_key="wrong-key", **place)
    with wrong, pytest.raises(openai.AuthenticationError):
        wrong.models.list()


def _converse(client: openai.OpenAI) -> None:
    (model,) = client.models.list().data
    assert model.id == "taught" and client.models.retrieve("taught").id == "taught"
    whole = client.chat.completions.create(
        model="taught",
        messages=SAID,
        seed=1,
        max_completion_tokens=12,
        logprobs=True,
        top_logprobs=1,
        extra_body={"top_k": 20, "min_p": 0.01, "repetition_penalty": 1.1},
    )
    stream = client.chat.completions.create(
        model="taught",
        messages=SAID,
        seed=1,
        max_completion_tokens=12,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"top_k": 20, "min_p": 0.01, "repetition_penalty": 1.1},
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == (
        whole.choices[0].message.content
    )
    assert chunks[-1].usage == whole.usage
    assert whole.choices[0].logprobs is not None
    text = client.completions.create(
        model="taught", prompt=["小", "a"], max_tokens=4, logprobs=2, echo=True, n=2, seed=1
    )
    assert len(text.choices) == 4 and text.choices[0].text.startswith("小")
    with pytest.raises(openai.NotFoundError, match="taught"):
        client.completions.create(model="other", prompt="a")
    with pytest.raises(openai.BadRequestError, match="context length") as caught:
        client.completions.create(model="taught", prompt=[90] * 300)
    assert caught.value.code == "context_length_exceeded" and caught.value.param == "prompt"


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
    slow.set()
    text = response.read().decode()
    assert ": ping\n\n" in text and text.endswith("data: [DONE]\n\n")

    def broken(*_: Any) -> Any:
        raise RuntimeError("no")

    monkeypatch.setattr("hanlin.serving.completions.finish_of", broken)
    text = post(server.url, {**LONG, "max_tokens": 3, "stream": True}).read().decode()
    last, end = text.strip().split("\n\n")[-2:]
    assert json.loads(last.removeprefix("data: "))["error"]["type"] == "server_error"
    assert end == "data: [DONE]"


def test_stopping_ends_streams_with_a_last_event_and_refuses_what_comes(running, slow):
    server = running(shutdown_seconds=0.1)
    response = post(server.url, {**LONG, "stream": True})
    eventually(lambda: server.service.statistics().running == 1)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 8
    lines = response.read().decode().strip().split("\n\n")
    assert json.loads(lines[-2].removeprefix("data: "))["error"]["code"] == "shutting_down"
    assert lines[-1] == "data: [DONE]"


def test_stopping_lets_a_stream_finish_that_needs_no_longer(running, slow):
    server = running(shutdown_seconds=30.0)
    response = post(server.url, {**LONG, "max_tokens": 6, "stream": True})
    eventually(lambda: server.service.statistics().running == 1)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    eventually(lambda: server.service.state == "stopping")
    slow.set()
    lines = response.read().decode().strip().split("\n\n")
    stopping.join()
    assert json.loads(lines[-2][6:])["choices"][0]["finish_reason"] == "length"
    assert lines[-1] == "data: [DONE]"


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_verb_in_bounded_time(folders: dict[str, Path], number: int) -> None:
    command = [sys.executable, "-m", "hanlin", "serve", str(folders["taught"]), "--port", "0"]
    command += ["--shutdown-seconds", "0.1", "--device", "cpu"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
        try:
            seen, rest, answer = _stop(process, number)
        finally:
            process.kill()
    assert process.returncode == 0, rest
    assert answer.endswith(b"data: [DONE]\n\n")
    assert "POST /v1/completions 200" in rest and "secret" not in seen + rest


def _stop(process: subprocess.Popen[str], number: int) -> tuple[str, str, bytes]:
    """Return what was said before the signal and behind it, and the stream that it met."""
    assert process.stderr is not None
    seen = ""
    while "ready" not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    url = next(word for word in seen.split() if word.startswith("http://"))
    response = post(url, {**LONG, "prompt": "secret 从前", "stream": True})
    assert response.status == 200
    process.send_signal(number)
    rest = process.communicate(timeout=60)[1]
    return seen, rest, response.read()


def test_a_port_that_is_taken_is_said(folders: dict[str, Path], capsys) -> None:
    from hanlin.cli import main

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["serve", str(folders["plain"]), "--port", port]) == 2
    assert f"port {port}" in capsys.readouterr().err


def test_the_load_of_this_machine_is_measured(folders: dict[str, Path], capsys) -> None:
    from hanlin.cli import main

    arguments = [
        "--requests",
        "5",
        "--at-once",
        "2",
        "--prompt-tokens",
        "6",
        "--max-tokens",
        "4",
        "--json",
    ]
    assert main(["bench", "serve", str(folders["plain"]), *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["answered"] == 5 and found["refused"] == found["failed"] == 0
    assert found["tokens_per_second"] == pytest.approx(20 / found["seconds"], rel=0.05)
    assert 0 < found["first_token_p50"] <= found["first_token_p99"] <= found["answer_p99"]
    assert main(["bench", "serve", str(folders["plain"]), "--prompt-tokens", "90"]) == 2


def test_a_model_that_cannot_be_loaded_ends_the_verb(folders, tmp_path, capsys) -> None:
    from hanlin.cli import main

    broken = shutil.copytree(folders["plain"], tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"nothing")
    assert main(["serve", str(broken), "--port", "0", "--device", "cpu"]) == 2
    assert "model.safetensors" in capsys.readouterr().err
