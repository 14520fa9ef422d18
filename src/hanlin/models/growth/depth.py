"""Which old block each block of a deeper, or shallower, model copies.

Three ways:

- `identity`: copies stand between the old blocks, evenly, and add nothing to the stream at first
  (LLaMA Pro; Wu et al. 2024, arXiv 2401.02415). The model computes what it did;
- `stack`: the whole stack follows itself (Gong et al. 2019; Du et al. 2024, arXiv 2405.15319).
  What was learnt leaps at first and comes back in a few steps;
- fewer blocks: every k-th, first and last among them (DistilBERT; Sanh et al. 2019, arXiv
  1910.01108).

In a banded model an even block is dense and an odd one is not, so that blocks go in pairs.

    python -m hanlin.models.growth.depth
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Source", "insert_blocks", "repeat_blocks", "thin_blocks"]


class Source(NamedTuple):
    """Where a block comes from."""

    layer: int
    """The number of the old block."""
    silent: bool
    """Whether it adds nothing to the stream at first."""


def insert_blocks(old: int, new: int, *, step: int) -> list[Source]:
    """Return `new` sources: `old` blocks with silent copies after groups of `step` of them.

    >>> [source.layer if not source.silent else -1 for source in insert_blocks(2, 4, step=1)]
    [0, -1, 1, -1]
    """
    groups, extra = old // step, (new - old) // step
    sources: list[Source] = []
    for group in range(groups):
        layers = range(group * step, (group + 1) * step)
        sources += [Source(layer, False) for layer in layers]
        copies = (group + 1) * extra // groups - group * extra // groups
        sources += [Source(layer, True) for layer in layers] * copies
    return sources


def repeat_blocks(old: int, new: int) -> list[Source]:
    """Return `new` sources: the `old` blocks again and again."""
    return [Source(layer % old, False) for layer in range(new)]


def thin_blocks(old: int, new: int, *, step: int) -> list[Source]:
    """Return `new` sources, evenly spaced, in groups of `step`.

    >>> [source.layer for source in thin_blocks(6, 3, step=1)]
    [0, 2, 5]
    """
    groups, kept = old // step, new // step
    chosen = [group * (groups - 1) // max(1, kept - 1) for group in range(kept)]
    return [Source(group * step + inner, False) for group in chosen for inner in range(step)]


if __name__ == "__main__":
    print("identity", insert_blocks(4, 6, step=1))
    print("stack", repeat_blocks(2, 4))
    print("fewer", thin_blocks(12, 6, step=1))
