"""The model at work: it loads, takes texts, mends its engine after a fault, and stops.

    service = Service(ServingConfig())
    service.start(lambda: Served(hanlin.load("runs/demo"), "demo", 0))
    texts = await service.submit([(prompt, sampling)])

States: `loading`, `ready`, `stopping` (what was begun may be finished), `failed`.

    python -m hanlin.serving.service
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Sequence

from hanlin.config import BatchingConfig, SamplingConfig, ServingConfig
from hanlin.errors import BusyError, HanlinError, ModelError, UserError
from hanlin.generation import BatchWorker, Handle, Scheduler, Statistics
from hanlin.serving.errors import RETRY_SECONDS, ApiError, as_api_error
from hanlin.serving.metrics import Metrics
from hanlin.serving.served import Computing, Served
from hanlin.serving.texts import Text, cancel_all

__all__ = ["Service"]

log = logging.getLogger("hanlin.serving")

Asked = tuple[Sequence[int], SamplingConfig]


class Service:
    """A model, its worker, and the texts in the writing."""

    def __init__(self, config: ServingConfig) -> None:
        """Begin in the state `loading`."""
        self.config = config
        self.state = "loading"
        self.error: Exception | None = None
        self.metrics = Metrics()
        self.scoring = asyncio.Semaphore(1)
        """Held by whoever computes beside the worker, so that only one does."""
        self._served: Served | None = None
        self._worker: BatchWorker | None = None
        self.on_failed: Callable[[], None] = lambda: None
        """Called where nothing can go on."""
        self.on_ready: Callable[[], None] = lambda: None
        """Called once the model can be asked."""
        self._mending = threading.Lock()
        self._live: dict[Text, BatchWorker | None] = {}
        self._alone: dict[Text, BatchWorker] = {}
        self._one_at_a_time = asyncio.Semaphore(1)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, load: Callable[[], Served]) -> threading.Thread:
        """Load the model in a thread of its own."""
        thread = threading.Thread(target=self._load, args=(load,), name="hanlin-load", daemon=True)
        thread.start()
        return thread

    @property
    def served(self) -> Served:
        """The model.

        Raises:
            ApiError: it is loading, the server is stopping, or the engine has failed.
        """
        wait = {"Retry-After": str(RETRY_SECONDS)}
        if self.state == "loading":
            raise ApiError(503, "The model is being loaded.", code="loading", headers=wait)
        if self.state == "stopping":
            raise ApiError(503, "The server is stopping.", code="shutting_down", headers=wait)
        if self.state == "failed" or self._served is None:
            raise ApiError(503, "The engine has failed; the log says why.", code="engine_failed")
        return self._served

    @property
    def engine(self) -> Computing:
        """The engine that the scheduler writes with."""
        return self.served.writer

    async def submit(self, asked: Sequence[Asked], *, param: str | None = None) -> list[Text]:
        """Queue texts, all or none; `param` is the field to name where one cannot be written.

        Raises:
            ApiError: a text cannot be written, or too many wait.
        """
        _ = self.served
        self._check_waiting(sum(len(prompt) for prompt, _ in asked))
        texts: list[Text] = []
        try:
            for prompt, sampling in asked:
                text = Text(prompt, sampling, self._write_again, self._release)
                texts.append(text)
                self._live[text] = None
                await self._send(text, lambda text: self._submit(text))
        except BaseException as error:
            cancel_all(texts)
            if isinstance(error, Exception):
                raise as_api_error(error, param=param) from error
            raise
        return texts

    def statistics(self) -> Statistics | None:
        """Return the scheduler's counts, None before there is one."""
        return None if self._worker is None else self._worker.statistics()

    def begin_stop(self) -> None:
        """Take nothing more, and end what is not finished in time; called by the event loop."""
        if self.state != "stopping":
            self.state = "stopping"
            self._keep(asyncio.create_task(self._end_late()))

    async def close(self) -> None:
        """End everything; returns when the worker has."""
        self.state = "stopping"
        workers = [*self._alone.values(), *([self._worker] if self._worker else [])]
        for worker in workers:
            await asyncio.to_thread(worker.close, cancel=True)

    def _load(self, load: Callable[[], Served]) -> None:
        try:
            served = load()
            _check_sound(served)
            self._worker = self._new_worker(served)
        except Exception as error:
            self._fail(error)
            return
        self._served = served
        if self.state == "loading":
            self.state = "ready"
            self.on_ready()

    def _new_worker(self, served: Served) -> BatchWorker:
        return BatchWorker(Scheduler(served.writer, self.config.batching))

    def _fail(self, error: Exception) -> None:
        self.state, self.error = "failed", error
        self.on_failed()

    def _check_waiting(self, more: int) -> None:
        waiting = sum(len(text.prompt) for text in self._live if text.first is None)
        if waiting and waiting + more > self.config.max_waiting_tokens:
            raise as_api_error(
                BusyError(
                    f"Prompts of {waiting} tokens wait already, and {more} more would pass "
                    f"max_waiting_tokens {self.config.max_waiting_tokens}. Try again later."
                )
            )

    async def _send(self, text: Text, submit: Callable[[Text], Handle]) -> None:
        """Queue a text from a thread, for checking it may take long."""
        sending = asyncio.get_running_loop().run_in_executor(None, submit, text)
        try:
            text.attach(await asyncio.shield(sending))
        except asyncio.CancelledError:
            sending.add_done_callback(_cancel_handle)
            raise

    def _submit(self, text: Text) -> Handle:
        while True:
            self._live[text] = worker = self._worker
            assert worker is not None
            try:
                return self._submit_to(worker, text)
            except (UserError, BusyError):
                raise
            except HanlinError:
                _ = self.served
                self._mend(worker)

    def _submit_to(self, worker: BatchWorker, text: Text) -> Handle:
        seconds = self.config.request_seconds
        return worker.submit(text.prompt, text.sampling, seconds=seconds, notify=text.notify)

    def _mend(self, broken: BatchWorker | None) -> None:
        """Put a new worker in the place of one that stopped on a fault, if the model is sound."""
        with self._mending:
            if self._worker is not broken or self.state != "ready":
                return
            self.metrics.count_fault()
            log.error("the engine stopped on a fault and is started anew")
            try:
                _check_sound(self.served)
                self._worker = self._new_worker(self.served)
            except Exception as error:
                self._fail(error)

    async def _write_again(self, text: Text) -> None:
        """Write a text alone, after the worker that wrote it stopped on a fault."""
        await asyncio.to_thread(self._mend, self._live[text])
        await self._one_at_a_time.acquire()
        try:
            worker = BatchWorker(Scheduler(self.engine, self._room_for_one()))
        except BaseException:
            self._one_at_a_time.release()
            raise
        self._alone[text] = worker
        await self._send(text, lambda text: self._submit_to(worker, text))

    def _room_for_one(self) -> BatchingConfig:
        size = self.config.batching.block_tokens
        return BatchingConfig(
            max_running=1,
            max_waiting=1,
            block_tokens=size,
            cache_tokens=math.ceil(self.served.context / size) * size,
            cache_bits=self.config.batching.cache_bits,
            prefix_reuse=False,
        )

    def _release(self, text: Text) -> None:
        self._live.pop(text, None)
        worker = self._alone.pop(text, None)
        if worker is not None:
            self._one_at_a_time.release()
            self._keep(asyncio.create_task(asyncio.to_thread(worker.close, cancel=True)))
        self.metrics.count_text(text)

    async def _end_late(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self.config.shutdown_seconds
        while self._live and loop.time() < end:
            await asyncio.sleep(0.02)
        if self._worker is not None:
            await self.close()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _check_sound(served: Served) -> None:
    """Refuse a model whose numbers are none, before anybody asks it anything."""
    engine = served.engine
    scores = engine.logprobs([engine.tokenizer.eot_id] * 3)
    if not all(map(math.isfinite, scores)):
        raise ModelError(
            f"The model in {served.model.folder} gives {scores} in place of probabilities: its "
            "weights hold numbers that are none. Take an earlier release or checkpoint."
        )


def _cancel_handle(sending: asyncio.Future[Handle]) -> None:
    if not sending.cancelled() and sending.exception() is None:
        sending.result().cancel()


if __name__ == "__main__":
    print(ServingConfig())
