"""A thread that steps a scheduler, and handles through which other threads take their texts.

    with BatchWorker(Scheduler(engine)) as worker:
        handle = worker.submit("从前", SamplingConfig())
        for piece in handle:
            print(piece, end="")
        print(handle.result().finish_reason)

`submit` returns at once. A handle hands out pieces of whole characters as they are written;
`notify` is called whenever there is something new, from the worker's thread, so that an event loop
need not give each request a thread of its own (`loop.call_soon_threadsafe` and `Handle.take`).

    python -m hanlin.generation.worker
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

from hanlin.config import SamplingConfig
from hanlin.errors import HanlinError
from hanlin.generation.counts import Statistics
from hanlin.generation.draft import Completion
from hanlin.generation.job import Job
from hanlin.generation.prompts import Prompt
from hanlin.generation.scheduler import Scheduler

__all__ = ["BatchWorker", "Handle"]


class Handle:
    """A request as its sender sees it; pieces can be taken once, the result again and again."""

    def __init__(self, notify: Callable[[], None] | None = None) -> None:
        """Begin without a job, which `BatchWorker.submit` adds."""
        self.job: Job | None = None
        self._notify = notify
        self._pieces: SimpleQueue[str] = SimpleQueue()
        self._sent = 0
        self._done = threading.Event()
        self._error: BaseException | None = None
        self._completion: Completion | None = None

    def __iter__(self) -> Iterator[str]:
        """Yield pieces until the text ends; raises what `result` would."""
        while piece := self._pieces.get():
            yield piece
        self._pieces.put("")  # a second loop ends at once
        if self._error is not None:
            raise self._error

    def take(self) -> list[str]:
        """Return the pieces that have come since, without waiting."""
        pieces: list[str] = []
        while True:
            try:
                piece = self._pieces.get_nowait()
            except Empty:
                return pieces
            if not piece:
                self._pieces.put("")
                return pieces
            pieces.append(piece)

    @property
    def done(self) -> bool:
        """Whether the text has ended."""
        return self._done.is_set()

    def cancel(self) -> None:
        """End the text at the next step; its result is what was written by then."""
        if self.job is not None:
            self.job.cancelled = True

    def result(self, timeout: float | None = None) -> Completion:
        """Wait for the end and return the whole text.

        Raises:
            TimeoutError: if the text has not ended after `timeout` seconds; it goes on.
            HanlinError: if the worker stopped on an error.
            Exception: whatever `notify` raised.
        """
        if not self._done.wait(timeout):
            raise TimeoutError(f"The text has not ended within {timeout} seconds.")
        if self._error is not None:
            raise self._error
        assert self._completion is not None
        return self._completion

    def hear(self, job: Job) -> None:
        """Pass on what is new in a job; called by the worker's thread."""
        pieces = job.draft.pieces[self._sent :]
        self._sent += len(pieces)
        for piece in pieces:
            self._pieces.put(piece)
        if job.done:
            self._completion = job.complete()
            self._end()
        else:
            self._announce()

    def fail(self, error: BaseException) -> None:
        """End with an error; called by the worker's thread."""
        self._error = error
        self._end()

    def _end(self) -> None:
        self._done.set()
        self._pieces.put("")
        self._announce()

    def _announce(self) -> None:
        if self._notify is None:
            return
        try:
            self._notify()
        except Exception as error:  # the sender's fault ends the sender's text, and no other
            self._notify, self._error = None, error
            self.cancel()


class BatchWorker:
    """Steps a scheduler in a thread of its own for as long as there is work."""

    def __init__(self, scheduler: Scheduler) -> None:
        """Start the thread."""
        self.scheduler = scheduler
        self._handles: dict[Job, Handle] = {}
        self._wake = threading.Condition()
        self._closing = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="hanlin-batch", daemon=True)
        self._thread.start()

    def submit(
        self,
        prompt: Prompt,
        sampling: SamplingConfig,
        *,
        seconds: float = math.inf,
        notify: Callable[[], None] | None = None,
    ) -> Handle:
        """Queue a request; after `seconds` it ends with what was written by then.

        Raises:
            UserError: if the text can fit neither the model's context nor the cache.
            BusyError: if the queue is full.
            HanlinError: if the worker is closed or has stopped on an error.
        """
        handle = Handle(notify)
        job = self.scheduler.prepare(prompt, sampling, seconds=seconds, listener=self._tell)
        handle.job = job
        with self._wake:
            if self._closing:
                raise HanlinError(
                    "The worker takes no requests: it was closed, or stopped on an error."
                ) from self._error
            self.scheduler.enqueue(job)
            self._handles[job] = handle
            self._wake.notify()
        return handle

    def statistics(self) -> Statistics:
        """Return the scheduler's counts."""
        return self.scheduler.statistics()

    def close(self, *, cancel: bool = False) -> None:
        """Take no more requests, finish those there are (or cancel them), and end the thread."""
        with self._wake:
            self._closing = True
            if cancel:
                for job in self._handles:
                    job.cancelled = True
            self._wake.notify()
        self._thread.join()

    def __enter__(self) -> BatchWorker:
        """Return the worker."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close; on an error, without finishing what is being written."""
        self.close(cancel=kind is not None)

    def _work(self) -> None:
        try:
            while self._wait_for_work():
                self.scheduler.step()
        except BaseException as error:
            self._fail(error)

    def _wait_for_work(self) -> bool:
        with self._wake:
            while not self.scheduler.busy and not self._closing:
                self._wake.wait()
            return self.scheduler.busy

    def _tell(self, job: Job) -> None:
        with self._wake:  # until `submit` is through, the handle is not there
            handle = self._handles.pop(job) if job.done else self._handles[job]
        handle.hear(job)

    def _fail(self, error: BaseException) -> None:
        with self._wake:
            self._closing, self._error = True, error
            handles = list(self._handles.values())
            self._handles.clear()
        stop = HanlinError(f"The worker stopped on an error: {error}")
        stop.__cause__ = error
        for handle in handles:
            handle.fail(stop)


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from hanlin.generation.native import NativeEngine, load_native
    from hanlin.tokenizers import load_tokenizer

    if len(sys.argv) != 3:
        sys.exit("python -m hanlin.generation.worker FOLDER PROMPT")
    place = Path(sys.argv[1])
    engine = NativeEngine(load_native(place), load_tokenizer(place))
    with BatchWorker(Scheduler(engine)) as worker:
        for text in worker.submit(sys.argv[2], SamplingConfig()):
            print(text, end="", flush=True)
    print()
