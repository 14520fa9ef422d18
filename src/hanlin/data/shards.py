"""Token shards: a corpus as flat files of token ids that are memory-mapped, never read whole.

Layout of one split of one part of the corpus:

    000-00000.bin, 000-00001.bin, 001-00000.bin ...   ids of source 0, 0, 1 (uint16 or uint32)
    000-documents.npy ...                              where each document starts, and its bytes
    index.json                                         hashes, counts, fingerprint; written last

Every document begins with <|endoftext|>, so a document's end is learnt as the next one's start.

    python -m hanlin.data.shards FOLDER
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanlin.errors import DataError
from hanlin.records import atomic_directory, sha256_file
from hanlin.text import Document
from hanlin.tokenizers import Tokenizer

__all__ = [
    "DOCUMENT",
    "ShardIndex",
    "SourceShards",
    "TokenStream",
    "open_shards",
    "read_index",
    "write_encoded",
    "write_shards",
]

DOCUMENT = np.dtype([("start", "<i8"), ("bytes", "<i8"), ("language", "S8")])
_SHARD_TOKENS = 1 << 26
_BATCH_DOCUMENTS = 256


@dataclass(frozen=True)
class SourceShards:
    """What the index says of one source."""

    source: str
    files: list[dict[str, Any]]
    documents: str
    num_tokens: int
    num_documents: int


@dataclass(frozen=True)
class ShardIndex:
    """What the index says of one split of one part."""

    dtype: str
    vocab_size: int
    tokenizer: str
    stamp: str = ""
    sources: list[SourceShards] = field(default_factory=list)

    @property
    def num_tokens(self) -> int:
        """Tokens in all sources."""
        return sum(source.num_tokens for source in self.sources)


@dataclass(frozen=True)
class TokenStream:
    """One source's tokens as if they were one array, with where its documents start."""

    source: str
    pieces: tuple[NDArray[np.unsignedinteger], ...]
    documents: NDArray[np.void]
    num_tokens: int

    def read(self, start: int, length: int) -> NDArray[np.int32]:
        """Return `length` token ids from `start` on."""
        parts: list[NDArray[np.int32]] = []
        for piece in self.pieces:
            if start < len(piece) and length > 0:
                taken = np.asarray(piece[start : start + length], dtype=np.int32)
                parts.append(taken)
                length -= len(taken)
            start = max(0, start - len(piece))
        return np.concatenate(parts) if parts else np.empty(0, np.int32)

    def document_lengths(self) -> NDArray[np.int64]:
        """Return each document's tokens, its leading <|endoftext|> included."""
        ends = np.append(self.documents["start"][1:], self.num_tokens)
        lengths: NDArray[np.int64] = ends - self.documents["start"]
        return lengths


def write_shards(
    documents: Iterable[Document],
    tokenizer: Tokenizer,
    folder: Path,
    *,
    stamp: str = "",
    on_progress: Callable[[int, int], None] | None = None,
) -> ShardIndex:
    """Encode documents into a folder of shards, atomically.

    `stamp` is kept in the index, to recognise the inputs by. `on_progress` hears how many documents
    are done, and 0 for the number in all, which is not known.
    """
    return write_encoded(
        _encode(documents, tokenizer), tokenizer, folder, stamp=stamp, on_progress=on_progress
    )


def write_encoded(
    encoded: Iterable[tuple[Document, NDArray[np.uint32]]],
    tokenizer: Tokenizer,
    folder: Path,
    *,
    stamp: str = "",
    on_progress: Callable[[int, int], None] | None = None,
) -> ShardIndex:
    """Write documents whose ids are given, without <|endoftext|>, as `write_shards` does."""
    dtype = "uint16" if tokenizer.vocab_size <= 1 << 16 else "uint32"
    with atomic_directory(folder) as temporary:
        writers: dict[str, _SourceWriter] = {}
        done = 0
        for done, (document, ids) in enumerate(encoded, start=1):
            writer = writers.get(document.source)
            if writer is None:
                writer = _SourceWriter(temporary, len(writers), document.source, dtype)
                writers[document.source] = writer
            writer.add(document, ids, tokenizer.eot_id)
            if on_progress and done % _BATCH_DOCUMENTS == 0:
                on_progress(done, 0)
        if on_progress:
            on_progress(done, 0)
        sources = [writer.close() for writer in writers.values()]
        index = ShardIndex(dtype, tokenizer.vocab_size, tokenizer.fingerprint, stamp, sources)
        text = json.dumps(asdict(index), ensure_ascii=False, indent=2)
        (temporary / "index.json").write_text(text + "\n", encoding="utf-8")
    return index


def open_shards(folder: Path, *, verify: bool = True) -> list[TokenStream]:
    """Map a folder's shards; `verify` compares hashes first.

    Raises:
        DataError: the index or a shard is missing, cut short, altered, or holds an impossible id.
    """
    index = read_index(folder)
    return [_open_source(folder, index, source, verify) for source in index.sources]


def read_index(folder: Path) -> ShardIndex:
    """Read a folder's index."""
    try:
        table = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        sources = [SourceShards(**source) for source in table.pop("sources")]
        return ShardIndex(**table, sources=sources)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"The token shards in {folder} have no readable index.json ({error}). "
            "Delete this folder; `hanlin run` writes it again."
        ) from error


class _SourceWriter:
    """Writes one source's shards and its table of documents."""

    def __init__(self, folder: Path, number: int, source: str, dtype: str) -> None:
        self.folder, self.number, self.source, self.dtype = folder, number, source, dtype
        self.documents: list[tuple[int, int, bytes]] = []
        self.buffer: list[NDArray[np.unsignedinteger]] = []
        self.buffered = self.num_tokens = 0
        self.files: list[dict[str, Any]] = []

    def add(self, document: Document, ids: NDArray[np.uint32], eot_id: int) -> None:
        """Append one document."""
        size = len(document.text.encode("utf-8"))
        self.documents.append((self.num_tokens, size, document.language.encode("ascii")))
        tokens = np.concatenate([np.array([eot_id]), ids]).astype(self.dtype)
        self.buffer.append(tokens)
        self.buffered += len(tokens)
        self.num_tokens += len(tokens)
        if self.buffered >= _SHARD_TOKENS:
            self._flush()

    def close(self) -> SourceShards:
        """Write what is left and describe the source."""
        self._flush()
        name = f"{self.number:03d}-documents.npy"
        np.save(self.folder / name, np.array(self.documents, dtype=DOCUMENT), allow_pickle=False)
        self.files.append({"name": name, "sha256": sha256_file(self.folder / name)})
        return SourceShards(
            self.source, self.files[:-1], name, self.num_tokens, len(self.documents)
        )

    def _flush(self) -> None:
        if not self.buffer:
            return
        name = f"{self.number:03d}-{len(self.files):05d}.bin"
        path = self.folder / name
        np.concatenate(self.buffer).tofile(path)
        self.files.append({"name": name, "tokens": self.buffered, "sha256": sha256_file(path)})
        self.buffer, self.buffered = [], 0


def _open_source(
    folder: Path, index: ShardIndex, source: SourceShards, verify: bool
) -> TokenStream:
    pieces = []
    for file in source.files:
        path = folder / file["name"]
        _check_file(path, file, np.dtype(index.dtype).itemsize, verify)
        piece = np.memmap(path, dtype=index.dtype, mode="r")
        if verify and len(piece) and int(piece.max()) >= index.vocab_size:
            position = int(np.argmax(piece >= index.vocab_size))
            raise DataError(
                f"{path} holds token {int(piece[position])} at offset {position}, but the "
                f"vocabulary has {index.vocab_size} entries. Delete {folder} to write it again."
            )
        pieces.append(piece)
    documents = np.load(folder / source.documents, allow_pickle=False)
    return TokenStream(source.source, tuple(pieces), documents, source.num_tokens)


def _check_file(path: Path, file: dict[str, Any], item_size: int, verify: bool) -> None:
    wanted = file["tokens"] * item_size
    size = path.stat().st_size if path.exists() else -1
    if size != wanted:
        found = "is missing" if size < 0 else f"has {size} bytes in place of {wanted}"
        raise DataError(f"The token shard {path} {found}. Delete {path.parent} to write it again.")
    if verify and sha256_file(path) != file["sha256"]:
        raise DataError(
            f"The token shard {path} was altered: its SHA-256 differs from index.json. "
            f"Delete {path.parent} to write it again."
        )


def _encode(
    documents: Iterable[Document], tokenizer: Tokenizer
) -> Iterator[tuple[Document, NDArray[np.uint32]]]:
    for batch in _batches(documents, _BATCH_DOCUMENTS):
        encoded = tokenizer.encode_batch([document.text for document in batch])
        yield from zip(batch, encoded, strict=True)


def _batches(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    iterator = iter(documents)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


if __name__ == "__main__":
    import sys

    for stream in open_shards(Path(sys.argv[1])):
        print(stream.source, stream.num_tokens, "tokens", len(stream.documents), "documents")
