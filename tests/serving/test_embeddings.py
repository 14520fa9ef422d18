"""Embeddings: a text's vector is its own, of length one, in each form that clients ask for."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import openai
import pytest
import torch

from hanlin.generation.embedding import embed_ids

PATH = "/v1/embeddings"


def ask(client: Any, **body: Any) -> dict[str, Any]:
    response = client.post(PATH, json=body)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_vector_is_the_mean_of_the_last_hidden_states_of_the_texts_own_tokens(serve, models):
    found = ask(serve("plain"), input="小猫 cat", model="plain")
    served = models["plain"]
    ids = served.document("小猫 cat")
    with torch.inference_mode():
        hidden = served.model.engine.model.hidden(torch.tensor([ids]))[0, 1:].mean(0)
    (only,) = found["data"]
    assert only["object"] == "embedding" and only["index"] == 0
    assert only["embedding"] == pytest.approx((hidden / hidden.norm()).tolist(), abs=1e-6)
    assert np.linalg.norm(only["embedding"]) == pytest.approx(1, abs=1e-6)
    assert found["usage"] == {"prompt_tokens": len(ids), "total_tokens": len(ids)}
    assert (found["object"], found["model"]) == ("list", "plain")


def test_texts_do_not_depend_on_each_other_and_keep_their_order(serve, models):
    client = serve()
    texts = ["小猫", "Once upon a time, a cat saw a dog.", "dog"]
    several = ask(client, input=texts)["data"]
    assert [each["index"] for each in several] == [0, 1, 2]
    for text, each in zip(texts, several, strict=True):
        assert ask(client, input=text)["data"][0]["embedding"] == each["embedding"]
    ids = [models["taught"].model.tokenizer.encode(text) for text in texts]
    by_ids = ask(client, input=ids)["data"]
    alone = [embed_ids(models["taught"].writer, each).tolist() for each in ids]
    assert [each["embedding"] for each in by_ids] == alone
    assert ask(client, input=ids[0])["data"][0]["embedding"] == alone[0]


def test_base64_holds_the_same_numbers(serve):
    client = serve()
    plain, packed = (
        ask(client, input="小猫", encoding_format=form)["data"][0]["embedding"]
        for form in ("float", "base64")
    )
    assert np.frombuffer(base64.b64decode(packed), "<f4").tolist() == plain


def test_the_official_client_gets_vectors(running):
    server = running("plain")
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
        found = client.embeddings.create(model="plain", input=["小猫", "cat"], user="me")
        plain = client.embeddings.create(model="plain", input="小猫", encoding_format="float")
        with pytest.raises(openai.BadRequestError, match="cannot be shortened"):
            client.embeddings.create(model="plain", input="小猫", dimensions=8)
    assert [len(each.embedding) for each in found.data] == [32, 32]
    assert found.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)


def test_the_width_of_the_model_may_be_asked_for(serve):
    assert len(ask(serve(), input="小猫", dimensions=32)["data"][0]["embedding"]) == 32


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["小", ""]}, "input[1]"),
        ({"input": [[5], []]}, "input[1]"),
        ({"input": [5, 9999]}, "input"),
        ({"input": 5}, "input"),
        ({"input": "小猫" * 200}, "input"),
        ({"input": "小", "dimensions": 8}, "dimensions"),
        ({"input": "小", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "小", "colour": 1}, "colour"),
    ],
)
def test_what_cannot_be_is_refused_by_name(serve, body, param):
    response = serve().post(PATH, json=body)
    error = response.json()["error"]
    assert response.status_code == 400, error
    assert error["param"] == param


def test_states_that_are_not_finite_are_an_error_and_no_vector(serve, models, monkeypatch):
    client, model = serve("plain"), models["plain"].model.engine.model
    monkeypatch.setattr(model, "hidden", lambda ids: torch.full((1, ids.shape[1], 4), torch.nan))
    response = client.post(PATH, json={"input": "小猫"})
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "not_finite"
