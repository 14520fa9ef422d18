"""Logits that are no numbers: the text ends in an error that names the step, on every path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hanlin.config import SamplingConfig
from hanlin.errors import NotFiniteError
from hanlin.generation import BatchWorker, Engine, LookupProposer, Scheduler, Speculation
from hanlin.generation.native import NativeEngine, is_available, load_native
from hanlin.generation.soundness import require_finite
from hanlin.models import save_release

DRAWN = SamplingConfig(
    temperature=1.0, top_p=1.0, max_tokens=9, seed=1, logit_bias=((0, -1e9), (2, -1e9))
)
PLAIN = SamplingConfig(temperature=1.0, top_p=1.0, max_tokens=9, seed=1)


def harmed(engine: Engine, monkeypatch: pytest.MonkeyPatch, value: float, step: int = 3) -> Engine:
    """Return an engine whose model gives a number that is none in its pass number `step`."""
    model, calls = engine.model, [0]
    head = type(model).head

    def broken(hidden: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        logits = head(model, hidden)
        if calls[0] == step:
            logits = logits.index_fill(-1, torch.tensor([7]), value)
        return logits

    monkeypatch.setattr(model, "head", broken)
    return engine


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("changes", [{}, {"temperature": 0}, {"logprobs": 1}, {"min_tokens": 5}])
def test_a_text_ends_in_an_error_that_names_the_step(engine, monkeypatch, value, changes):
    writer = harmed(engine(), monkeypatch, value)
    with pytest.raises(NotFiniteError, match="not finite at step 3 of this text"):
        writer.generate("a", DRAWN.model_copy(update=changes))


def test_so_it_does_under_proposals_in_a_stream_and_in_a_scheduler(engine, monkeypatch):
    writer = harmed(engine(), monkeypatch, torch.nan)
    with pytest.raises(NotFiniteError, match="at step"):
        writer.generate("a", DRAWN, Speculation(LookupProposer(shortest=1)))
    pieces = harmed(engine(), monkeypatch, torch.nan).stream("a", DRAWN)
    with pytest.raises(NotFiniteError, match="at step 3"):
        list(pieces)
    scheduler = Scheduler(harmed(engine(), monkeypatch, torch.nan))
    scheduler.submit("a", DRAWN)
    with pytest.raises(NotFiniteError, match="at step 3"):
        scheduler.run()


def test_a_worker_says_why_it_stopped(engine, monkeypatch):
    with BatchWorker(Scheduler(harmed(engine(), monkeypatch, torch.nan))) as worker:
        handle = worker.submit("a", DRAWN)
        with pytest.raises(Exception, match="at step 3") as caught:
            handle.result(timeout=30)
    assert isinstance(caught.value.__cause__, NotFiniteError)


def test_a_text_that_has_ended_needs_no_logits(engine):
    writer = engine()
    drafts = [writer.begin("a", DRAWN), writer.begin("b", DRAWN)]
    logits = torch.zeros(2, 5)
    logits[0, 1] = torch.nan
    drafts[0].end("stop")
    require_finite(logits, drafts)
    with pytest.raises(NotFiniteError, match="at step 1"):
        require_finite(logits.flip(0), drafts)


class Broken:
    """The native core, one of whose passes gives a number that is none."""

    def __init__(self, core: Any, call: int) -> None:
        self._core, self._left = core, call

    def read(self, *portions: Any) -> Any:
        rows = np.array(self._core.read(*portions))
        self._left -= 1
        if not self._left:
            rows[0, 7] = np.nan
        return rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)


@pytest.mark.skipif(not is_available(), reason="the native core is not built here")
def test_so_it_does_natively(engine, tokenizer, tmp_path: Path, monkeypatch):
    save_release(tmp_path, engine().model)
    writer = NativeEngine(load_native(tmp_path, threads=1), tokenizer)
    for write in _native_ways(writer):
        with monkeypatch.context() as patch:
            broken = replace(writer.model, core=Broken(writer.model.core, 3))
            patch.setattr(writer, "model", broken)
            with pytest.raises(NotFiniteError, match="at step 3 of this text"):
                write()


def _native_ways(writer: NativeEngine) -> list[Callable[[], object]]:
    def scheduled() -> None:
        scheduler = Scheduler(writer)
        scheduler.submit("ab", PLAIN)
        scheduler.run()

    return [lambda: writer.generate("ab", PLAIN), scheduled]
