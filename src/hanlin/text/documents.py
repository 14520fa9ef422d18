"""A document, the account of what was dropped, and the cutting of long texts.

A file that is itself one text (a novel as a single .txt) would leave nothing to hold out, so such a
text is cut at paragraph ends into pieces of about 4,000 characters; a document that its author set
apart (a block, a record) is kept whole up to a size that memory allows.

    python -m hanlin.text.documents
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

__all__ = ["PIECE", "WHOLE_FILE", "WHOLE_RECORD", "Document", "Tally", "cut_long", "short_language"]

PIECE = 4_000
"""Characters from which a piece ends at the next paragraph."""
WHOLE_FILE = 8_000
"""Characters up to which a file that is one text stays one document."""
WHOLE_RECORD = 400_000
"""Characters up to which a block or a record stays one document."""

_SAMPLES = 5
_SAMPLE_CHARACTERS = 80
_SENTENCE = re.compile(r"[^。！？.!?]*[。！？.!?]+[”’」』）\"')]*\s*|[^。！？.!?]+")


@dataclass(frozen=True, slots=True)
class Document:
    """One text with its language, its source's name, and a stable id (`file#index`)."""

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


def short_language(language: str) -> str:
    """Return a language without its script.

    >>> short_language("zh-Hant"), short_language("en")
    ('zh', 'en')
    """
    return "zh" if language.startswith("zh") else language


def cut_long(lines: Iterable[str], longest: int = WHOLE_FILE) -> Iterator[str]:
    """Yield a text whole if it has at most `longest` characters, else in pieces.

    `lines` keep their line ends. Memory stays at `longest` characters, however long the text is.

    >>> [len(piece) for piece in cut_long(["短。\\n"] * 4)]
    [12]
    """
    pieces = _pieces(lines)
    head: list[str] = []
    for piece in pieces:
        head.append(piece)
        if sum(map(len, head)) > longest:
            yield from itertools.chain(head, pieces)
            return
    yield "".join(head)


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    """Yield pieces; one that would be shorter than half a piece is joined to the one before."""
    pending = ""
    buffer: list[str] = []
    size = 0
    for line in _short_lines(lines):
        buffer.append(line)
        size += len(line)
        # Hard-wrapped text parts its paragraphs by a blank line; where none comes, any line end.
        if size >= PIECE and (line.isspace() or size >= 1.5 * PIECE):
            if pending:
                yield pending
            pending, buffer, size = "".join(buffer), [], 0
    rest = "".join(buffer)
    if pending and len(rest) >= PIECE // 2:
        yield pending
        pending = ""
    yield pending + rest


def _short_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines, those longer than a piece cut after a sentence, else anywhere."""
    for line in lines:
        if len(line) <= PIECE:
            yield line
            continue
        for sentence in _SENTENCE.findall(line):
            for start in range(0, len(sentence), PIECE):
                yield sentence[start : start + PIECE]


if __name__ == "__main__":
    novel = ["话说天下大势，分久必合，合久必分。" * 20 + "\n"] * 100
    print([len(piece) for piece in cut_long(novel)])
