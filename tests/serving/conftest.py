"""Tiny models with sharp opinions in folders, and servers around them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from starlette.testclient import TestClient

import hanlin
from hanlin.config import BatchingConfig, ModelConfig, SamplingConfig, ServingConfig
from hanlin.generation.native import is_available
from hanlin.models import build_model, resolve_model, save_release
from hanlin.serving import Access, Background, Served, Service, create_app
from hanlin.tokenizers import train_tokenizer

CONTEXT = 96
SMALL = ServingConfig(
    batching=BatchingConfig(max_running=4, max_waiting=8, step_tokens=32, block_tokens=4),
    max_texts=6,
    shutdown_seconds=0.2,
)
TEXTS = ["从前，小猫在公园里看见一只小狗。小猫很高兴。", "Once upon a time, a cat saw a dog."] * 4


def build(folder: Path, learnt: tuple[str, ...]) -> Path:
    tokenizer = train_tokenizer("bpe", TEXTS, 384)
    shape = ModelConfig(context_length=CONTEXT, hidden_size=32, num_layers=2, num_heads=4)
    model = build_model(resolve_model(shape, tokenizer.vocab_size), seed=1)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(noise * 2 / parameter.shape[-1] ** 0.5)
    sampling = SamplingConfig(temperature=0.9, top_p=0.9, max_tokens=12)
    save_release(folder, model, tokenizer=tokenizer, sampling=sampling, learnt=learnt)
    return folder


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a model that was taught, and one that was not."""
    place = tmp_path_factory.mktemp("served")
    return {
        "taught": build(place / "taught", ("dialogue", "infill")),
        "plain": build(place / "plain", ()),
    }


@pytest.fixture(scope="session")
def models(folders: dict[str, Path]) -> dict[str, Served]:
    found = {
        name: Served(hanlin.load(path, device="cpu"), name, 1) for name, path in folders.items()
    }
    if is_available():
        for name, path in folders.items():
            native = hanlin.load(path, device="cpu", engine="native")
            found[f"{name}-native"] = Served(native, name, 1)
    return found


class Client(TestClient):
    """A client of one application, which knows its service."""

    service: Service


Serve = Callable[..., Client]


@pytest.fixture
def serve(models: dict[str, Served]) -> Iterator[Serve]:
    """Return what puts a model behind a client."""
    clients: list[Client] = []

    def start(
        name: str = "taught", access: Access | None = None, host: str = "127.0.0.1", **changes: Any
    ) -> Client:
        service = Service(SMALL.model_copy(update=changes))
        app = create_app(service, access or Access())
        client = Client(app, base_url=f"http://{host}", raise_server_exceptions=False)
        client.service = service
        client.__enter__()
        clients.append(client)
        service.start(lambda: models[name]).join()
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def running(models: dict[str, Served]) -> Iterator[Callable[..., Background]]:
    """Return what puts a model behind a real port."""
    servers: list[Background] = []

    def start(name: str = "taught", access: Access | None = None, **changes: Any) -> Background:
        config = SMALL.model_copy(update=changes)
        servers.append(Background(lambda: models[name], config, access).__enter__())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


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
