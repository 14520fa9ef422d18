"""Transformed documents as token shards: what augmentation trains on, written once.

A document is cut into passages of whole sentences so short that the transformed passage fits one
row, its markers included; it is never cut afterwards, since a piece without its marker would pass
for plain text. Which documents are taken, and how each is transformed, follows from (seed,
transformation, document) alone.

    python -m hanlin.data.augmentation
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hanlin.data.packing import DocumentRows
from hanlin.data.shards import open_shards, read_index, write_encoded
from hanlin.errors import DataError, TokenizerError
from hanlin.records import sha256_json
from hanlin.text import Document
from hanlin.text.augmentation import MARKERS, TRANSFORMATIONS, Marked, cut_passages
from hanlin.tokenizers import Tokenizer

__all__ = ["Augmentation", "encode_marked", "transformed_rows"]

_VERSION = 1
"""Counted up when the same settings would give other tokens."""
_MARKER_TOKENS = 8
_SLACK = 0.9
"""Share of a row that sentences may fill, since the whole can have more tokens than its parts."""

Ids = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Everything that the shards of one transformation follow from, besides the documents."""

    name: str
    """Which transformation."""
    seed: int
    row_length: int
    """Tokens of a training row."""
    keep: float
    """Share of the documents that are taken; above 1 it is 1."""
    weights: Mapping[str, float]
    """By source, multiplied into `keep`; 1 unless named."""

    def stamp(self, tokenizer: Tokenizer, content: object) -> str:
        """Return a hash of all inputs; `content` tells the documents apart."""
        mine = [self.name, self.seed, self.row_length, self.keep, dict(self.weights)]
        return sha256_json([_VERSION, *mine, tokenizer.fingerprint, content])

    def encode(
        self, documents: Iterable[Document], tokenizer: Tokenizer
    ) -> Iterator[tuple[Document, Ids]]:
        """Yield the transformed passages with their ids; all have the transformation as source."""
        transformation = TRANSFORMATIONS[self.name]
        room = int(_SLACK * (self.row_length - _MARKER_TOKENS) / transformation.copies)
        for document in documents:
            rng = random.Random(f"{self.seed}/{self.name}/{document.id}")
            if rng.random() >= self.keep * self.weights.get(document.source, 1.0):
                continue
            for passage in cut_passages(document.text, lambda s: len(tokenizer.encode(s)), room):
                marked = transformation.apply(passage, rng)
                ids = encode_marked(marked, tokenizer) if marked else None
                if ids is not None and len(ids) < self.row_length:
                    yield replace(document, text=passage, source=self.name), ids


def encode_marked(marked: Marked, tokenizer: Tokenizer) -> Ids:
    """Return the ids of a transformed text, each marker as its control token.

    Raises:
        TokenizerError: the tokenizer has no such control tokens.
    """
    missing = [marker for marker in MARKERS if marker not in tokenizer.control]
    if missing:
        raise TokenizerError(
            f"This {tokenizer.kind} tokenizer lacks the control tokens {', '.join(missing)} that "
            "mark transformed text. Leave out [stages.augment], or train with Hanlin's tokenizer."
        )
    ids: list[int] = []
    for marker, text in marked:
        ids += [tokenizer.control[marker], *tokenizer.encode(text)]
    return np.array(ids, dtype=np.uint32)


def transformed_rows(
    augmentation: Augmentation,
    documents: Iterable[Document],
    tokenizer: Tokenizer,
    folder: Path,
    *,
    content: object,
) -> DocumentRows:
    """Return one transformation's rows; its shards in `folder` are written unless they fit.

    Raises:
        DataError: no document can be transformed in rows of this length.
    """
    stamp = augmentation.stamp(tokenizer, content)
    if _stamp_of(folder) != stamp:
        write_encoded(augmentation.encode(documents, tokenizer), tokenizer, folder, stamp=stamp)
    streams = open_shards(folder)
    if not streams:
        raise DataError(
            f"No document can be transformed by `{augmentation.name}` in rows of "
            f"{augmentation.row_length} tokens: the sentences are too long, or the documents have "
            f"too few. Raise model.context_length or leave out augment.{augmentation.name}."
        )
    return DocumentRows.pack(streams[0], augmentation.row_length)


def _stamp_of(folder: Path) -> str:
    try:
        return read_index(folder).stamp
    except DataError:
        return ""


if __name__ == "__main__":
    from hanlin.tokenizers import train_tokenizer

    text = "小猫在河边看见一条鱼。它跳进水里，鱼游走了。天黑了。"
    bpe = train_tokenizer("bpe", [text] * 2, 350)
    example = Augmentation("permute", seed=1, row_length=128, keep=1.0, weights={})
    for found, ids in example.encode([Document(text, "zh-Hans", "story", "story#0")], bpe):
        print(found.source, bpe.decode(ids.tolist(), skip_control=False))
