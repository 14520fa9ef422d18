"""Cut a document that is longer than the context into windows that score each token once.

A window that begins in the middle of a document knows nothing of what came before, so its first
tokens would be scored too badly. Windows therefore overlap by half a context: what a window scores
has at least half a context of history, or all there is since the document's start.

    python -m hanlin.evaluation.windows
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Window", "cut_windows"]


class Window(NamedTuple):
    """Tokens `start` to `stop` of a document, of which those from `first` on are scored."""

    start: int
    stop: int
    first: int


def cut_windows(length: int, context: int) -> list[Window]:
    """Return the windows of a document of `length` tokens for a model that sees `context`.

    >>> [tuple(window) for window in cut_windows(8, 4)]
    [(0, 4, 0), (2, 6, 4), (4, 8, 6)]
    """
    windows: list[Window] = []
    stride = max(1, context // 2)
    scored = 0
    while scored < length:
        stop = min(length, context if scored == 0 else scored + stride)
        windows.append(Window(start=max(0, stop - context), stop=stop, first=scored))
        scored = stop
    return windows


if __name__ == "__main__":
    for window in cut_windows(1000, 256):
        print(window)
