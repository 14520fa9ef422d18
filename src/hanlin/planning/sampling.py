"""How much text a corpus holds, from a sample of it: files are counted, a few of them are read.

Packed and marked-up files hold more or less text than their size says, and cleaning drops some of
it; so a random sample is read by the corpus's own readers and cleaned by its own rules, and what
was seen is scaled by file sizes. The time that the sample takes also says how long the whole will.

    python -m hanlin.planning.sampling FILE_OR_FOLDER...
"""

from __future__ import annotations

import json
import math
import random
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hanlin.config import CorpusConfig, SourceConfig, WorldConfig
from hanlin.errors import DataError, UserError
from hanlin.planning.units import count, share, size
from hanlin.text import build_corpus
from hanlin.text.readers import SourceReader, list_files

__all__ = ["CorpusEstimate", "bytes_per_token", "estimate_corpus"]

_SAMPLE_BYTES = 1_500_000
_FILE_CHARACTERS = 8_000_000
_SECONDS = 3.0
_WORLD_STORIES = 400
_WARM_DOCUMENTS = 40

# Bytes a token of byte-level BPE by vocabulary, measured on held-out prose after training on 4 MB
# of both languages; the last column is extrapolated.
_VOCABULARIES = (512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536)
_BYTES = {
    "zh": (1.50, 2.06, 2.56, 3.02, 3.46, 3.87, 4.25, 4.6),
    "en": (1.61, 2.18, 2.75, 3.32, 3.85, 4.25, 4.5, 4.7),
}


@dataclass(frozen=True, slots=True)
class CorpusEstimate:
    """What a corpus is expected to hold after cleaning; `text` holds a part of the sample."""

    files: int
    bytes_on_disk: int
    text_bytes: float
    """UTF-8 bytes of text before cleaning."""
    kept_bytes: float
    """UTF-8 bytes after cleaning, all splits together."""
    characters: float
    documents: float
    shares: dict[str, float]
    """Share of the kept bytes by language: zh, en, other."""
    train_share: float
    sample_bytes: int
    seconds: float
    """Expected time to read and clean all of it here."""
    text: tuple[str, ...] = field(repr=False, default=())

    @property
    def train_bytes(self) -> float:
        """Bytes that training sees in one epoch."""
        return self.kept_bytes * self.train_share

    def tokens(self, vocab_size: int, kind: str = "bpe", measured: float = 0.0) -> float:
        """Return the training tokens of one epoch; `measured` bytes a token go before the guess."""
        return self.train_bytes / (measured or bytes_per_token(self.shares, vocab_size, kind))

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate as plain values, without the sampled text."""
        names = ("files", "bytes_on_disk", "text_bytes", "kept_bytes", "characters", "documents")
        table: dict[str, Any] = {name: round(getattr(self, name)) for name in names}
        table["shares"] = self.shares
        return {**table, "sample_bytes": self.sample_bytes, "seconds": self.seconds}

    def __str__(self) -> str:
        """Say it in one line."""
        languages = ", ".join(f"{name} {share(part)}" for name, part in self.shares.items())
        return (
            f"{count(self.documents)} documents, {size(self.kept_bytes)} of text after cleaning "
            f"({languages})"
        )


@dataclass(slots=True)
class _Sample:
    """What was read of one source, and what all of it must then be."""

    source: SourceConfig
    texts: list[str]
    files: int
    bytes_on_disk: int
    text_bytes: float
    documents: float
    seconds: float
    """Time that reading all of it takes."""

    @property
    def sampled_bytes(self) -> int:
        return sum(len(text.encode("utf-8")) for text in self.texts)


def estimate_corpus(config: CorpusConfig, base: Path, *, seed: int = 0) -> CorpusEstimate:
    """Estimate a corpus from a sample of at most a few megabytes.

    Raises:
        DataError: a source is missing, holds no readable file, or nothing of the sample is kept.
    """
    budget = _SAMPLE_BYTES // len(config.sources)
    generator = random.Random(seed)
    samples = [_sample(source, base, budget, generator) for source in config.sources]
    kept, characters, documents, seconds = 0.0, 0.0, 0.0, 0.0
    languages: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="hanlin-plan-") as folder:
        amounts, clean_seconds = _clean(samples, config, Path(folder))
    for sample in samples:
        scale = sample.text_bytes / max(1, sample.sampled_bytes)
        seconds += sample.seconds
        for amount in amounts:
            if amount.source != sample.source.label:
                continue
            language = amount.language[:2] if amount.language[:2] in ("zh", "en") else "other"
            languages[language] = languages.get(language, 0.0) + scale * amount.bytes
            kept += scale * amount.bytes
            characters += scale * amount.characters
            documents += scale * amount.documents
    sampled = sum(sample.sampled_bytes for sample in samples)
    text_bytes = sum(sample.text_bytes for sample in samples)
    return CorpusEstimate(
        files=sum(sample.files for sample in samples),
        bytes_on_disk=sum(sample.bytes_on_disk for sample in samples),
        text_bytes=text_bytes,
        kept_bytes=kept,
        characters=characters,
        documents=documents,
        shares={name: part / max(kept, 1.0) for name, part in sorted(languages.items())},
        train_share=1 - config.validation_share - config.test_share,
        sample_bytes=sampled,
        seconds=seconds + clean_seconds * text_bytes / max(1, sampled),
        text=tuple(text for sample in samples for text in sample.texts),
    )


def bytes_per_token(shares: dict[str, float], vocab_size: int, kind: str = "bpe") -> float:
    """Guess how many bytes a token has, from the languages' shares of the bytes.

    >>> 3 < bytes_per_token({"zh": 0.5, "en": 0.5}, 8192) < 4
    True
    """
    if kind == "char":
        lengths = {"zh": 2.9, "en": 1.0}
    elif kind == "word":
        lengths = {"zh": 4.4, "en": 5.0}
    else:
        lengths = {name: _interpolate(vocab_size, _BYTES[name]) for name in _BYTES}
    # Tokens add up, so the mean is the harmonic one.
    tokens = sum(part / lengths.get(name, 2.0) for name, part in shares.items())
    return sum(shares.values()) / tokens if tokens else 3.0


def _interpolate(vocab_size: int, values: tuple[float, ...]) -> float:
    return float(np.interp(math.log(vocab_size), [math.log(v) for v in _VOCABULARIES], values))


def _sample(source: SourceConfig, base: Path, budget: int, generator: random.Random) -> _Sample:
    if source.world is not None:
        return _sample_world(source, source.world, base)
    files = list_files(source, base)
    sizes = {file.path: file.path.stat().st_size for file in files}
    order = generator.sample(files, len(files))
    texts: list[str] = []
    disk, read, documents, kept = 0, 0, 0, 0
    deadline = (began := time.monotonic()) + _SECONDS
    for file in order:
        reader = SourceReader(source.model_copy(update={"path": str(file.path)}), base)
        for text in _texts(reader, file.named, deadline):
            length = len(text.encode("utf-8"))
            read, documents = read + length, documents + 1
            if kept < budget:
                texts.append(text)
                kept += length
        disk += reader.reading.bytes
        if kept >= budget or time.monotonic() > deadline:
            break
    total = sum(sizes.values())
    scale = total / max(1, disk)
    elapsed = time.monotonic() - began
    return _Sample(
        source, texts, len(files), total, read * scale, documents * scale, elapsed * scale
    )


def _texts(reader: SourceReader, named: bool, deadline: float) -> Iterator[str]:
    """Yield a file's texts, up to a size and a time; one that cannot be read is left out."""
    read = 0
    try:
        for document in reader:
            yield document.text
            read += len(document.text)
            if read > _FILE_CHARACTERS or time.monotonic() > deadline:
                return
    except UserError:
        if named:
            raise


def _sample_world(source: SourceConfig, world: WorldConfig, base: Path) -> _Sample:
    stories = min(world.stories, _WORLD_STORIES)
    small = source.model_copy(update={"world": world.model_copy(update={"stories": stories})})
    began = time.monotonic()
    texts = [document.text for document in SourceReader(small, base)]
    scale = world.stories / stories
    elapsed = (time.monotonic() - began) * scale
    written = sum(len(text.encode("utf-8")) for text in texts)
    return _Sample(source, texts, 0, 0, written * scale, len(texts) * scale, elapsed)


def _clean(
    samples: Iterable[_Sample], config: CorpusConfig, folder: Path
) -> tuple[list[Any], float]:
    """Clean the sampled texts as the corpus would be; return the amounts kept and the seconds."""
    sources = []
    for number, sample in enumerate(samples):
        path = folder / f"{number}.jsonl"
        path.write_text("".join(_lines(sample.texts)), encoding="utf-8")
        update = {"path": str(path), "world": None, "name": sample.source.label, "field": "text"}
        sources.append(sample.source.model_copy(update={**update, "part": "main"}))
    corpus = config.model_copy(update={"sources": tuple(sources)})
    _warm(corpus, folder)
    began = time.monotonic()
    manifest = build_corpus(corpus, folder / "corpus", base=folder)
    elapsed = time.monotonic() - began
    return list(manifest.parts["main"].amounts), elapsed


def _warm(corpus: CorpusConfig, folder: Path) -> None:
    """Load dictionaries and models once, so that the timing that follows is of the work alone."""
    first = corpus.sources[0]
    lines = Path(first.path).read_text(encoding="utf-8").splitlines(keepends=True)
    path = folder / "warm.jsonl"
    path.write_text("".join(lines[:_WARM_DOCUMENTS]), encoding="utf-8")
    small = corpus.model_copy(update={"sources": (first.model_copy(update={"path": str(path)}),)})
    try:
        build_corpus(small, folder / "warm", base=folder)
    except DataError:
        return  # too little is left of a few documents; the timing then includes the loading


def _lines(texts: Iterable[str]) -> Iterator[str]:
    return (json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)


if __name__ == "__main__":
    import sys

    found = estimate_corpus(
        CorpusConfig(
            sources=tuple(
                SourceConfig(path=path, name=str(number))
                for number, path in enumerate(sys.argv[1:])
            )
        ),
        Path.cwd(),
    )
    print(found, found.as_dict())
