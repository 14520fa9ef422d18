"""Who is let in, what a browser is told, what is counted, and what is never logged."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hanlin.cli import main
from hanlin.errors import ModelError, UserError
from hanlin.serving import Access, Service, read_keys
from hanlin.serving.metrics import Histogram

KEY = "a-key-of-the-test"
BODY = {"prompt": "小猫", "max_tokens": 2}


def test_a_key_is_asked_for_and_any_of_several_lets_in(serve):
    client = serve(access=Access(keys=("another-one", KEY)))
    assert client.get("/health").status_code == 200
    assert client.get("/").status_code == 200
    for sent in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {KEY}"}):
        for path in ("/v1/models", "/metrics", "/openapi.json"):
            response = client.get(path, headers=sent)
            assert response.status_code == 401
            assert response.json()["error"]["type"] == "authentication_error"
            assert response.headers["www-authenticate"] == "Bearer"
        assert client.post("/v1/completions", json=BODY, headers=sent).status_code == 401
    good = {"Authorization": f"Bearer {KEY}"}
    assert client.post("/v1/completions", json=BODY, headers=good).status_code == 200


def test_keys_come_from_a_file_and_are_never_shown(tmp_path: Path):
    path = tmp_path / "keys"
    path.write_text(f"# mine\n\n{KEY}\n  other-key-2  \n")
    assert read_keys(path) == (KEY, "other-key-2")
    assert KEY not in repr(Access(keys=(KEY,)))
    for wrong in ("", "# none\n", "short\n", "has a space in it\n", "钥匙钥匙钥匙钥匙\n"):
        path.write_text(wrong)
        with pytest.raises(UserError, match="key") as caught:
            read_keys(path)
        assert not wrong.strip() or wrong.strip() not in str(caught.value)


def test_a_network_needs_a_key_unless_told_otherwise(folders, capsys):
    assert main(["serve", str(folders["plain"]), "--host", "0.0.0.0"]) == 2
    assert "--api-key-file" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil", ""])
def test_an_unknown_name_is_not_answered_to(serve, host):
    response = serve().get("/v1/models", headers={"Host": host})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "host_not_allowed"


@pytest.mark.parametrize(
    "host", ["localhost:9", "127.0.0.1", "[::1]:8000", "192.168.1.9", "my.box"]
)
def test_addresses_and_allowed_names_are(serve, host):
    client = serve(access=Access(hosts=("my.box",)))
    assert client.get("/v1/models", headers={"Host": host}).status_code == 200


def test_pages_of_other_sites_may_not_ask(serve):
    client = serve()
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9999", "file://"):
        for method in ("GET", "POST", "OPTIONS"):
            response = client.request(method, "/v1/models", headers={"Origin": origin})
            assert response.status_code == 403
            assert "access-control-allow-origin" not in response.headers
    own = client.get("/v1/models", headers={"Origin": "http://127.0.0.1"})
    assert own.status_code == 200 and "access-control-allow-origin" not in own.headers


def test_an_allowed_page_may_ask_and_no_other(serve):
    client = serve(access=Access(origins=("https://chat.example",), keys=(KEY,)))
    asks = {"Origin": "https://chat.example", "Access-Control-Request-Method": "POST"}
    before = client.options("/v1/completions", headers=asks)
    assert before.status_code == 204
    assert before.headers["access-control-allow-origin"] == "https://chat.example"
    assert client.get("/v1/models", headers={"Origin": "https://x.example"}).status_code == 403


def test_bodies_are_json_and_bounded(serve):
    client = serve(max_body_bytes=100)
    large = client.post("/v1/completions", json={"prompt": "a" * 200})
    assert large.status_code == 413 and "100 bytes" in large.json()["error"]["message"]
    json_kind = {"Content-Type": "application/json"}
    parts = client.post("/v1/completions", content=iter([b"a" * 60] * 2), headers=json_kind)
    assert parts.status_code == 413
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        other = client.post("/v1/completions", content=b"{}", headers={"Content-Type": kind})
        assert other.status_code == 415


def test_unknown_paths_and_methods_are_explained(serve):
    client = serve()
    error = client.post("/chat/completions", json={}).json()["error"]
    assert error["type"] == "not_found_error" and "/v1/chat/completions meant" in error["message"]
    wrong = client.get("/v1/completions")
    assert wrong.status_code == 405 and "POST" in wrong.json()["error"]["message"]
    assert client.get("/page/../gate.py").status_code == 404
    assert client.get("/page/..%2fgate.py").status_code == 404
    assert client.get("/v1/models/other").json()["error"]["code"] == "model_not_found"


def test_models_say_what_they_can(serve):
    (taught,) = serve("taught").get("/v1/models").json()["data"]
    assert taught["id"] == "taught" and taught["max_model_len"] == 96
    assert taught["hanlin"]["chat"] and taught["hanlin"]["infill"]
    (plain,) = serve("plain").get("/v1/models").json()["data"]
    assert not plain["hanlin"]["chat"] and "never taught" in plain["hanlin"]["why_no_chat"]


def test_texts_become_tokens_and_texts_again(serve):
    client = serve()
    found = client.post("/tokenize", json={"prompt": "小猫 cat"}).json()
    assert found["count"] == len(found["tokens"]) and "".join(found["pieces"]) == "小猫 cat"
    back = client.post("/detokenize", json={"tokens": found["tokens"]}).json()
    assert back == {"prompt": "小猫 cat"}
    wrong = client.post("/detokenize", json={"tokens": [99999]})
    assert wrong.status_code == 400


def test_health_says_503_while_loading_and_requests_may_come_again(serve, models):
    client = serve()
    client.service.state = "loading"
    assert client.get("/health").status_code == 503
    assert client.get("/health").json() == {"status": "loading"}
    response = client.post("/v1/completions", json=BODY)
    assert response.status_code == 503 and response.headers["retry-after"]
    client.service.state = "ready"
    assert client.get("/health").json() == {"status": "ready"}


def test_a_model_whose_numbers_are_none_is_not_served(models, monkeypatch):
    from hanlin.config import ServingConfig

    engine = models["plain"].model.engine
    monkeypatch.setattr(engine, "logprobs", lambda _: [float("nan")] * 2)
    service = Service(ServingConfig())
    service.start(lambda: models["plain"]).join()
    assert service.state == "failed" and isinstance(service.error, ModelError)


def test_metrics_count_what_was_asked_and_written(serve):
    client = serve()
    client.post("/v1/completions", json={**BODY, "ignore_eos": True})
    client.post("/v1/completions", json={"prompt": 1})
    client.get("/somewhere/else")
    lines = client.get("/metrics").text.splitlines()
    for line in (
        'hanlin_requests_total{endpoint="/v1/completions",status="200"} 1',
        'hanlin_requests_total{endpoint="/v1/completions",status="400"} 1',
        'hanlin_requests_total{endpoint="other",status="404"} 1',
        "hanlin_completion_tokens_total 2",
        "hanlin_running 0",
        "hanlin_waiting 0",
        'hanlin_time_to_first_token_seconds_bucket{le="+Inf"} 1',
    ):
        assert line in lines


def test_buckets_hold_all_that_is_below():
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value)
    assert histogram.render("x") == [
        'x_bucket{le="1.0"} 2',
        'x_bucket{le="2.0"} 3',
        'x_bucket{le="+Inf"} 4',
        "x_sum 12.000000",
        "x_count 4",
    ]


def test_logs_hold_nothing_that_was_sent(serve, caplog):
    with caplog.at_level(logging.DEBUG):
        client = serve(access=Access(keys=(KEY,)))
        good = {"Authorization": f"Bearer {KEY}"}
        client.post("/v1/completions", json={**BODY, "prompt": "secret"}, headers=good)
        client.post("/v1/completions", json={"secret": 1}, headers=good)
        client.get("/secret%0aforged", headers=good)
        client.get("/v1/models", headers={"Authorization": "Bearer secret"})
    ours = [record for record in caplog.records if record.name == "hanlin.serving"]
    assert "POST /v1/completions 200" in ours[0].getMessage()
    shown = "\n".join(record.getMessage() for record in ours)
    assert "secret" not in shown and KEY not in shown and "forged" not in shown
