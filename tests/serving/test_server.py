"""A real server on a port: the official client, signals, stopping, and the verbs."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import openai
import pytest

from asking import LONG, eventually, post
from hanlin.generation.native import is_available
from hanlin.serving import Access

SAID: Any = [{"role": "user", "content": "小猫"}]


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
    assert ("engine native, weights of fp32" if is_available() else "engine torch") in seen


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
    assert found["engine"].startswith("native" if is_available() else "torch")
    assert 0 < found["first_token_p50"] <= found["first_token_p99"] <= found["answer_p99"]
    assert main(["bench", "serve", str(folders["plain"]), "--prompt-tokens", "90"]) == 2


def test_a_model_that_cannot_be_loaded_ends_the_verb(folders, tmp_path, capsys) -> None:
    from hanlin.cli import main

    broken = shutil.copytree(folders["plain"], tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"nothing")
    assert main(["serve", str(broken), "--port", "0", "--device", "cpu"]) == 2
    assert "model.safetensors" in capsys.readouterr().err
