"""A server on the native engine gives the answers that one on torch gives, with every setting."""

from __future__ import annotations

import json
from typing import Any

import pytest

from asking import LONG, post
from hanlin.cli._engine import load_model
from hanlin.config import BatchingConfig, SamplingConfig
from hanlin.errors import UserError
from hanlin.generation import Scheduler
from hanlin.generation.core_engine import CoreEngine
from hanlin.generation.native import is_available, load_core

pytestmark = pytest.mark.skipif(not is_available(), reason="the native core is not built here")

COMPLETIONS: dict[str, dict[str, Any]] = {
    "greedy": {"temperature": 0, "max_tokens": 20},
    "drawn": {"seed": 4, "temperature": 0.9, "top_p": 0.8, "n": 3, "max_tokens": 16},
    "penalties": {"seed": 1, "frequency_penalty": 0.5, "presence_penalty": 0.3, "max_tokens": 12},
    "bias": {"seed": 1, "logit_bias": {"70": 60.0}, "max_tokens": 5},
    "choices": {"seed": 2, "choices": ["是", "否"], "max_tokens": 20},
    "regex": {"seed": 2, "regex": "[0-9]{3}", "max_tokens": 20},
    "stop": {"seed": 3, "stop": ["a"], "max_tokens": 24},
    "best": {"seed": 5, "best_of": 3, "temperature": 1.0, "max_tokens": 5, "ignore_eos": True},
}


@pytest.mark.parametrize("name", COMPLETIONS)
def test_completions_are_those_of_torch(serve, name: str) -> None:
    body = {"prompt": ["小猫", "Once upon"], **COMPLETIONS[name]}
    found = []
    for served in ("taught", "taught-native"):
        answer = serve(served).post("/v1/completions", json=body)
        assert answer.status_code == 200, answer.text
        found.append([(c["text"], c["finish_reason"]) for c in answer.json()["choices"]])
    assert found[0] == found[1]


def test_a_dialogue_is_decided_and_answered_as_by_torch(serve) -> None:
    body = {
        "messages": [{"role": "user", "content": "小猫在公园里"}],
        "seed": 7,
        "max_tokens": 16,
        "offer": True,
    }
    found = []
    for served in ("taught", "taught-native"):
        answer = serve(served).post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["choices"])
    assert found[0] == found[1] and found[0][0]["message"]["decision"] in ("ask", "answer")


def test_scores_of_prompts_and_of_texts_are_those_of_torch(serve) -> None:
    body = {"prompt": "小猫在公园里看见一只小狗。" * 4, "echo": True, "logprobs": 3}
    found = []
    for served in ("taught", "taught-native"):
        answer = serve(served).post("/v1/completions", json={**body, "max_tokens": 6, "seed": 1})
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["choices"][0]["logprobs"])
    plain, native = found
    assert plain["tokens"] == native["tokens"] and plain["text_offset"] == native["text_offset"]
    assert plain["token_logprobs"][1:] == pytest.approx(native["token_logprobs"][1:], abs=1e-4)
    for one, other in zip(plain["top_logprobs"][1:], native["top_logprobs"][1:], strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_vectors_are_those_of_torch(serve) -> None:
    body = {"input": ["小猫在公园里看见一只小狗。" * 5, "a cat"]}
    found = []
    for served in ("taught", "taught-native"):
        answer = serve(served).post("/v1/embeddings", json=body)
        assert answer.status_code == 200, answer.text
        found.append([row["embedding"] for row in answer.json()["data"]])
    for plain, native in zip(*found, strict=True):
        assert plain == pytest.approx(native, abs=1e-5)


def test_a_text_that_brings_the_native_engine_down_fails_alone(running, monkeypatch) -> None:
    take, poison = CoreEngine.take, 77

    def brittle(self: CoreEngine, draft: Any, token: int) -> None:
        if poison in draft.prompt and len(draft.ids) == 3:
            raise RuntimeError("no")
        take(self, draft, token)

    server = running("taught-native")
    wanted = json.loads(post(server.url, {**LONG, "seed": 1}).read())["choices"][0]["text"]
    monkeypatch.setattr(CoreEngine, "take", brittle)
    bad = post(server.url, {"prompt": [90, poison], "max_tokens": 9, "ignore_eos": True})
    assert bad.status == 500 and json.loads(bad.read())["error"]["code"] == "engine_fault"
    found = json.loads(post(server.url, {**LONG, "seed": 1}).read())
    assert found["choices"][0]["text"] == wanted


def test_texts_with_rules_are_in_company_what_they_are_alone(models) -> None:
    engine = models["taught-native"].writer
    config = BatchingConfig(max_running=4, step_tokens=12, block_tokens=4, cache_bits=8)
    kinds: list[dict[str, Any]] = [
        {"logprobs": 2},
        {"regex": "[0-9]{2}"},
        {"repetition_penalty": 1.2},
        {"temperature": 0.0},
    ]
    asked = [
        ([5 + n] * (n + 1), SamplingConfig(seed=n, max_tokens=14, **kinds[n % 4]))
        for n in range(12)
    ]
    scheduler = Scheduler(engine, config)
    jobs = [scheduler.submit(*request) for request in asked]
    scheduler.run()
    for request, job in zip(asked, jobs, strict=True):
        alone = Scheduler(engine, config)
        single = alone.submit(*request)
        alone.run()
        assert single.complete() == job.complete()
    assert len(jobs[0].draft.logprobs) >= len(jobs[0].draft.ids)


def test_the_engine_is_the_one_asked_for_or_the_first_that_can(
    folders, models, monkeypatch
) -> None:
    core = load_core()
    threads = models["plain-native"].model.engine.model.core.threads
    instructions = core.instruction_sets()[0]
    assert models["plain-native"].computed == (
        f"native, weights of fp32, {instructions}, threads {threads}"
    )
    assert models["plain"].computed == "torch"
    plain = {"device": "cpu", "expansion": None}
    assert type(load_model(folders["plain"], "auto", **plain)).__name__ == "NativeWriter"
    assert type(load_model(folders["plain"], "torch", **plain)).__name__ == "Model"
    monkeypatch.setattr(
        "hanlin.generation.native.why_not_native", lambda *_, **__: "the moon is full"
    )
    assert type(load_model(folders["plain"], "auto", **plain)).__name__ == "Model"
    with pytest.raises(UserError, match="is not possible"):
        load_model(folders["plain"], "native", device="cpu", expansion="an-expansion")
