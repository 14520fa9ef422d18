"""One text in the writing, as an event loop follows it.

A fault of the engine ends all texts of its worker. Each of them is then written once more, alone
and from its own seed, and goes on behind what was handed out already: only the text that brings the
engine down again fails, and the others never notice.

python -m hanlin.serving.texts
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from hanlin.config import SamplingConfig
from hanlin.errors import HanlinError, NotFiniteError
from hanlin.generation import Completion, Handle, TokenLogprob
from hanlin.serving.errors import ApiError, as_api_error

__all__ = ["Text", "cancel_all", "merge"]

Again = Callable[["Text"], Awaitable[None]]
"""Starts a text again, alone; returns when it has been sent."""
Released = Callable[["Text"], None]


class Text:
    """A text that was asked for."""

    def __init__(
        self, prompt: Sequence[int], sampling: SamplingConfig, again: Again, released: Released
    ) -> None:
        """Take what is asked; `attach` says who writes it."""
        self.prompt, self.sampling = list(prompt), sampling
        self.began = time.monotonic()
        self.first: float | None = None
        self.ended: float | None = None
        self._again, self._released = again, released
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._handle: Handle | None = None
        self._completion: Completion | None = None
        self._cancelled = False
        self._sent = ""

    def notify(self) -> None:
        """Wake the event loop; called by the worker's thread."""
        self._loop.call_soon_threadsafe(self._changed.set)

    def attach(self, handle: Handle) -> None:
        """Follow a handle from now on."""
        self._handle = handle
        if self._cancelled:
            handle.cancel()

    async def pieces(self) -> AsyncIterator[str]:
        """Yield what is written, whole characters only, until the text ends.

        Raises:
            ApiError: the engine failed on this text, or it was cancelled.
        """
        for attempt in range(2):
            again = ""
            async for piece in self._follow():
                again += piece
                if attempt and not again.startswith(self._sent[: len(again)]):
                    self.cancel()  # what was handed out cannot be taken back
                    raise _fault()
                if fresh := again[len(self._sent) :]:
                    self.first = self.first or self._first_token()
                    self._sent = again
                    yield fresh
            try:
                assert self._handle is not None
                self._finish(self._handle.result(timeout=0))
                return
            except HanlinError as error:
                if attempt or self._cancelled:
                    self._end()
                    raise _fault(error) from error
            await self._again(self)

    async def finish(self) -> Completion:
        """Wait for the end and return the whole text.

        Raises:
            ApiError: as for `pieces`.
        """
        if self._completion is None:
            async for _ in self.pieces():
                pass
        assert self._completion is not None
        return self._completion

    def cancel(self) -> None:
        """End the text at the engine's next step."""
        self._cancelled = True
        if self._handle is not None:
            self._handle.cancel()
        self._end()

    @property
    def completion(self) -> Completion:
        """The whole text, which has ended."""
        assert self._completion is not None
        return self._completion

    @property
    def notes(self) -> list[TokenLogprob]:
        """What was noted of the tokens written so far."""
        if self._completion is not None:
            return self._completion.logprobs
        job = self._handle.job if self._handle is not None else None
        return [] if job is None else list(job.draft.logprobs)

    @property
    def num_written(self) -> int:
        """Tokens written so far."""
        job = self._handle.job if self._handle is not None else None
        return 0 if job is None else len(job.draft.ids)

    @property
    def reused(self) -> int:
        """Tokens of the prompt that were taken over from earlier texts."""
        job = self._handle.job if self._handle is not None else None
        return 0 if job is None else job.reused

    async def _follow(self) -> AsyncIterator[str]:
        assert self._handle is not None
        while True:
            self._changed.clear()
            done = self._handle.done  # before the pieces are taken, so that none is missed
            for piece in self._handle.take():
                yield piece
            if done:
                return
            await self._changed.wait()

    def _first_token(self) -> float:
        """Return when the first token was drawn, on the scheduler's clock, `time.monotonic`."""
        job = self._handle.job if self._handle is not None else None
        return time.monotonic() if job is None else job.first_token or time.monotonic()

    def _finish(self, completion: Completion) -> None:
        self._end()
        if completion.finish_reason == "cancelled":
            raise ApiError(503, "The server is stopping and ended this text.", code="shutting_down")
        self._completion = completion

    def _end(self) -> None:
        if self.ended is None:
            self.ended = time.monotonic()
            self._released(self)


def _fault(error: BaseException | None = None) -> ApiError:
    while error is not None:
        if isinstance(error, NotFiniteError):
            return as_api_error(error)
        error = error.__cause__
    return ApiError(500, "The engine failed on this text; others go on.", code="engine_fault")


def cancel_all(texts: Sequence[Text]) -> None:
    """End all texts that have not ended."""
    for text in texts:
        if text.ended is None:
            text.cancel()


async def merge(texts: Sequence[Text]) -> AsyncIterator[tuple[int, str | None]]:
    """Yield the pieces of several texts as they come, each with its text's number; None at its end.

    A slow reader holds up nobody: what is not taken waits at its text.
    """
    queue: asyncio.Queue[tuple[int, str | Exception | None]] = asyncio.Queue(maxsize=8)

    async def pump(number: int, text: Text) -> None:
        try:
            async for piece in text.pieces():
                await queue.put((number, piece))
            await queue.put((number, None))
        except Exception as error:
            await queue.put((number, error))

    tasks = [asyncio.create_task(pump(number, text)) for number, text in enumerate(texts)]
    try:
        left = len(tasks)
        while left:
            number, piece = await queue.get()
            if isinstance(piece, Exception):
                raise piece
            left -= piece is None
            yield number, piece
    finally:
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    print(Text.__doc__)
