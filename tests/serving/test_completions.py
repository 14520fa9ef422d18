"""Completions: every field does what it says, whole and streamed say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hanlin.config import SamplingConfig

PATH = "/v1/completions"


def events(response: Any) -> list[dict[str, Any]]:
    lines = [line for line in response.text.split("\n\n") if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def ask(client: Any, **body: Any) -> dict[str, Any]:
    response = client.post(PATH, json=body)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_text_is_what_the_engine_writes(serve, models):
    client = serve()
    found = ask(client, prompt="小猫", max_tokens=9, seed=3, temperature=0.7, model="taught")
    ids = models["taught"].document("小猫")
    sampling = SamplingConfig(max_tokens=9, seed=3, temperature=0.7, top_p=0.9)
    alone = models["taught"].writer.generate(ids, sampling)
    assert found["choices"] == [
        {
            "text": alone.text,
            "index": 0,
            "logprobs": None,
            "finish_reason": alone.finish_reason,
        }
    ]
    assert found["object"] == "text_completion" and found["id"].startswith("cmpl-")
    usage = found["usage"]
    assert usage["prompt_tokens"] == len(ids) and usage["completion_tokens"] == len(alone.ids)
    assert found["timings"]["predicted_n"] == len(alone.ids)


def test_what_is_not_given_is_as_the_model_proposes(serve):
    found = ask(serve(), prompt="小", ignore_eos=True)
    assert found["usage"]["completion_tokens"] == 12
    assert found["choices"][0]["finish_reason"] == "length"


def test_prompts_come_as_text_as_ids_and_several_at_once(serve, models):
    client = serve()
    ids = models["taught"].document("小猫")
    plain = {"max_tokens": 6, "temperature": 0, "seed": 1}
    one = ask(client, prompt="小猫", **plain)["choices"][0]["text"]
    assert ask(client, prompt=ids, **plain)["choices"][0]["text"] == one
    several = ask(client, prompt=["小猫", "cat"], n=2, **plain)
    assert [choice["index"] for choice in several["choices"]] == [0, 1, 2, 3]
    assert several["choices"][0]["text"] == several["choices"][1]["text"] == one
    assert several["usage"]["prompt_tokens"] == sum(
        len(models["taught"].document(text)) for text in ("小猫", "cat")
    )
    assert ask(client, prompt=[ids, ids], **plain)["choices"][1]["text"] == one


def test_a_stream_says_what_the_whole_says(serve):
    client = serve()
    body = {"prompt": ["小猫", "a"], "max_tokens": 20, "seed": 5, "logprobs": 2, "echo": True}
    whole = ask(client, **body)
    response = client.post(
        PATH, json={**body, "stream": True, "stream_options": {"include_usage": True}}
    )
    assert response.headers["content-type"].startswith("text/event-stream")
    chunks = events(response)
    assert (
        chunks[-1]["choices"] == []
        and chunks[-1]["usage"]["completion_tokens"] == (whole["usage"]["completion_tokens"])
    )
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    for index, wanted in enumerate(whole["choices"]):
        mine = [c["choices"][0] for c in chunks[:-1] if c["choices"][0]["index"] == index]
        assert "".join(choice["text"] for choice in mine) == wanted["text"]
        reasons = [choice["finish_reason"] for choice in mine]
        assert reasons[:-1] == [None] * (len(mine) - 1) and reasons[-1] == wanted["finish_reason"]
        notes = [choice["logprobs"] for choice in mine if choice["logprobs"]]
        for key in ("tokens", "text_offset"):
            joined = [value for note in notes for value in note[key]]
            assert joined == wanted["logprobs"][key]


def test_logprobs_are_the_models_own_and_say_where_tokens_stand(serve, models):
    served = models["taught"]
    found = ask(serve(), prompt="小猫", max_tokens=6, seed=2, logprobs=3, echo=True)["choices"][0]
    notes = found["logprobs"]
    ids = served.document("小猫")
    scores = served.model.engine.logprobs(ids)
    count = len(ids) - 1
    assert notes["token_logprobs"][:count] == pytest.approx(scores, abs=1e-4)
    assert "".join(notes["tokens"][:count]) == "小猫"
    assert notes["text_offset"][0] == 0
    for token, offset in zip(notes["tokens"], notes["text_offset"], strict=True):
        assert token.startswith("bytes:") or found["text"][offset:].startswith(token)
    assert all(len(top) <= 3 for top in notes["top_logprobs"])


def test_echo_alone_scores_a_text(serve, models):
    ids = models["taught"].document("小猫在公园里")
    choice = ask(serve(), prompt=ids, max_tokens=0, echo=True, logprobs=1)["choices"][0]
    assert choice["text"] == "小猫在公园里"
    assert choice["logprobs"]["token_logprobs"][0] is None
    scores = models["taught"].model.engine.logprobs(ids)
    assert choice["logprobs"]["token_logprobs"][1:] == pytest.approx(scores, abs=1e-4)


def test_the_best_of_several_is_the_likeliest(serve):
    client = serve()
    body = {"prompt": "小", "max_tokens": 5, "seed": 9, "temperature": 1.0, "ignore_eos": True}
    several = ask(client, **body, n=4, logprobs=0)
    means = [sum(c["logprobs"]["token_logprobs"]) / 5 for c in several["choices"]]
    best = ask(client, **body, best_of=4)
    assert best["choices"][0]["text"] == several["choices"][means.index(max(means))]["text"]
    assert best["choices"][0]["logprobs"] is None
    assert best["usage"]["completion_tokens"] == 20


def test_stops_end_a_text_and_what_they_cut_has_no_notes(serve):
    client = serve()
    body = {"prompt": "小", "max_tokens": 30, "seed": 4, "ignore_eos": True}
    whole = ask(client, **body)["choices"][0]["text"]
    stop = whole[3:5]
    cut = ask(client, **body, stop=[stop], logprobs=0)["choices"][0]
    assert cut["text"] == whole[: whole.index(stop)] and cut["finish_reason"] == "stop"
    tokens = cut["logprobs"]["text_offset"]
    assert not tokens or tokens[-1] < len(cut["text"])


def test_a_bias_and_penalties_and_choices_bind_what_is_written(serve, models):
    client = serve()
    token = models["taught"].model.tokenizer.encode("猫")[0]
    text = ask(client, prompt="小", max_tokens=3, logit_bias={str(token): 100}, seed=1)
    assert text["usage"]["completion_tokens"] == 3
    chosen = ask(client, prompt="小", max_tokens=20, choices=["是", "否"])["choices"][0]["text"]
    assert chosen in ("是", "否")
    digits = ask(client, prompt="小", max_tokens=20, regex="[0-9]{3}")["choices"][0]["text"]
    assert len(digits) == 3 and digits.isdigit()
    shape = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": shape}}
    body = {"prompt": "小", "max_tokens": 40, "response_format": form}
    assert isinstance(json.loads(ask(client, **body)["choices"][0]["text"])["a"], bool)


def test_a_suffix_is_written_before_where_it_was_taught(serve):
    body = {"prompt": "小猫", "suffix": "小狗", "max_tokens": 4}
    assert ask(serve("taught"), **body)["choices"][0]["finish_reason"] in ("stop", "length")
    refused = serve("plain").post(PATH, json=body)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "suffix"
    assert "never taught" in refused.json()["error"]["message"]


def test_fields_without_meaning_are_named_and_unknown_ones_refused(serve):
    client = serve()
    response = client.post(
        PATH, json={"prompt": "小", "max_tokens": 1, "user": "me", "store": True}
    )
    assert response.headers["x-hanlin-ignored"] == "store, user"
    error = client.post(PATH, json={"prompt": "小", "temprature": 1}).json()["error"]
    assert error["param"] == "temprature" and "`temperature`" in error["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"temperature": -1}, "temperature"),
        ({"temperature": "0.5"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": True}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 7}, "n"),
        ({"n": 1.5}, "n"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": 3}, "stop"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"seed": 2**70}, "seed"),
        ({"logit_bias": {"猫": 1}}, "logit_bias"),
        ({"logit_bias": {"9999": 1}}, "logit_bias"),
        ({"logit_bias": {"5": 101}}, "logit_bias.5"),
        ({"best_of": 1, "n": 2}, "best_of"),
        ({"best_of": 2, "stream": True}, "best_of"),
        ({"logprobs": 21}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": [99999]}, "prompt"),
        ({"prompt": {"a": 1}}, "prompt"),
        ({"prompt": ["小"] * 7}, "prompt"),
        ({"regex": "("}, "regex"),
        ({"regex": "a", "choices": ["b"]}, "choices"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"stream_options": {"usage": True}}, "stream_options.usage"),
    ],
)
def test_what_cannot_be_is_refused_by_name(serve, body, param):
    response = serve().post(PATH, json={"prompt": "小", **body})
    error = response.json()["error"]
    assert response.status_code == 400, error
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert error["message"].endswith((".", "]", "?"))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"prompt": "a", "temperature": NaN}',
        b'{"prompt": "a", "temperature": Infinity}',
        b'{"prompt": "a"',
        b"[1]",
        b"\xff\xfe",
        b'"a"',
        b'{"prompt": "\\ud800"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_request_is_refused(serve, raw):
    response = serve().post(PATH, content=raw, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_a_prompt_too_long_is_refused_with_both_numbers(serve):
    error = serve().post(PATH, json={"prompt": [90] * 200}).json()["error"]
    assert error["code"] == "context_length_exceeded" and error["param"] == "prompt"
    assert "96 tokens" in error["message"] and "200" in error["message"]


def test_another_model_is_not_found_and_those_there_are_named(serve):
    response = serve().post(PATH, json={"prompt": "a", "model": "gpt-4"})
    assert response.status_code == 404
    error = response.json()["error"]
    assert error["code"] == "model_not_found" and "taught" in error["message"]


def test_a_text_ends_no_sooner_than_asked(serve, models):
    client = serve("plain")
    ends = models["plain"].writer.vocabulary.ends
    eager = {"prompt": "小猫", "logit_bias": {str(end): 100 for end in ends}, "max_tokens": 9}
    assert ask(client, **eager)["usage"]["completion_tokens"] == 0
    found = ask(client, **eager, min_tokens=4)
    assert found["usage"]["completion_tokens"] == 4
    assert found["choices"][0]["finish_reason"] == "stop"
    for body in ({"min_tokens": 10}, {"min_tokens": 1, "regex": "a"}, {"min_tokens": -1}):
        response = client.post(PATH, json={**eager, **body})
        assert response.status_code == 400
        assert response.json()["error"]["param"] == "min_tokens"


def test_a_proposed_fewest_gives_way_to_fewer_asked_for(serve, models, monkeypatch):
    client = serve("plain")
    proposed = models["plain"].model.proposed.model_copy(update={"min_tokens": 8})
    monkeypatch.setitem(vars(models["plain"].model), "proposed", proposed)
    assert ask(client, prompt="小猫")["usage"]["completion_tokens"] >= 8
    assert ask(client, prompt="小猫", max_tokens=3)["usage"]["completion_tokens"] == 3
    ask(client, prompt="小猫", regex="[0-9]")
