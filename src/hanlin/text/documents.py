"""A document, the account of what was dropped, and the cutting of long texts.

A file that is itself one text (a novel as a single .txt) would leave nothing to hold out, so such a
text is cut at paragraph ends into pieces of about 4,000 characters once it is twice as long; a
document that its author set apart (a block, a record) is kept whole up to 100 times that length.

    python -m hanlin.text.documents
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

__all__ = ["PIECE", "Document", "Reading", "Tally", "cut_long", "short_language"]

PIECE = 4_000
"""Characters from which a piece of a long text ends at the next paragraph."""

_SAMPLES = 5
_SAMPLE_CHARACTERS = 80
_SENTENCE = re.compile(r"[^。！？.!?]*[。！？.!?]+[”’」』）\"')]*\s*|[^。！？.!?]+")


@dataclass(frozen=True, slots=True)
class Document:
    """One text with its language, its source's name, and a stable id (`source/file#index`)."""

    text: str
    language: str
    source: str
    id: str


@dataclass(slots=True)
class Tally:
    """What was dropped: a count and a few samples for each reason."""

    counts: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[str]] = field(default_factory=dict)

    def drop(self, reason: str, sample: str) -> None:
        """Count one thing that was dropped; keep the first five samples of each reason."""
        self.counts[reason] += 1
        kept = self.samples.setdefault(reason, [])
        if len(kept) < _SAMPLES:
            kept.append(" ".join(sample.split())[:_SAMPLE_CHARACTERS])

    def summary(self, most: int = 4) -> str:
        """Return the commonest reasons with their counts in one line."""
        return ", ".join(f"{reason}: {count}" for reason, count in self.counts.most_common(most))


@dataclass(slots=True)
class Reading:
    """The account of reading a source: what was read, found, cut and left out."""

    piece: int = PIECE
    """Characters from which a piece of a long text ends at the next paragraph."""
    tally: Tally = field(default_factory=Tally)
    encodings: Counter[str] = field(default_factory=Counter)
    """Text files by encoding."""
    bytes: int = 0
    """Bytes read from disk."""
    cut: int = 0
    """Texts that were cut into pieces."""

    def cut_file(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield a file that is one text, whole or in pieces."""
        return self._cut(lines, 2 * self.piece)

    def cut_record(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield a block or a record, whole unless it is so long that memory would suffer."""
        return self._cut(lines, 100 * self.piece)

    def _cut(self, lines: Iterable[str], longest: int) -> Iterator[str]:
        for index, piece in enumerate(cut_long(lines, longest, self.piece)):
            self.cut += index == 1
            yield piece


def short_language(language: str) -> str:
    """Return a language without its script.

    >>> short_language("zh-Hant"), short_language("en")
    ('zh', 'en')
    """
    return "zh" if language.startswith("zh") else language


def cut_long(lines: Iterable[str], longest: int, piece: int) -> Iterator[str]:
    """Yield a text whole if it has at most `longest` characters, else in pieces of about `piece`.

    `lines` keep their line ends. Memory stays at `longest` characters, however long the text is.

    >>> list(cut_long(["甲。\\n", "乙。\\n", "丙。\\n"], longest=6, piece=3))
    ['甲。\\n乙。\\n', '丙。\\n']
    """
    pieces = _pieces(lines, piece)
    head: list[str] = []
    for part in pieces:
        head.append(part)
        if sum(map(len, head)) > longest:
            yield from itertools.chain(head, pieces)
            return
    yield "".join(head)


def _pieces(lines: Iterable[str], length: int) -> Iterator[str]:
    """Yield pieces; one that would be shorter than half a piece is joined to the one before."""
    pending = ""
    buffer: list[str] = []
    size = 0
    for line in _short_lines(lines, length):
        buffer.append(line)
        size += len(line)
        # Hard-wrapped text parts its paragraphs by a blank line; where none comes, any line end.
        if size >= length and (line.isspace() or size >= 1.5 * length):
            if pending:
                yield pending
            pending, buffer, size = "".join(buffer), [], 0
    rest = "".join(buffer)
    if pending and len(rest) >= length // 2:
        yield pending
        pending = ""
    yield pending + rest


def _short_lines(lines: Iterable[str], length: int) -> Iterator[str]:
    """Yield the lines, those longer than a piece cut after a sentence, else anywhere."""
    for line in lines:
        if len(line) <= length:
            yield line
            continue
        for sentence in _SENTENCE.findall(line):
            for start in range(0, len(sentence), length):
                yield sentence[start : start + length]


if __name__ == "__main__":
    novel = ["话说天下大势，分久必合，合久必分。" * 20 + "\n"] * 100
    print([len(piece) for piece in Reading().cut_file(novel)])
