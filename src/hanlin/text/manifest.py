"""The manifest of a built corpus: what it holds, where that came from, what was dropped and why.

It is written after the documents that it describes, so that a folder with a manifest is whole. Each
part carries two hashes: of its settings and sources (whether it has to be built again) and of its
documents (whether it is what a stage was trained on).

    python -m hanlin.text.manifest
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from hanlin.config import Strict
from hanlin.errors import DataError
from hanlin.records import write_json
from hanlin.text.split import Split

__all__ = [
    "Amount",
    "Contamination",
    "Dropped",
    "FileRecord",
    "Manifest",
    "PartManifest",
    "Share",
    "SourceRecord",
    "load_manifest",
    "mix_sources",
    "save_manifest",
]


RULES_VERSION = 1
"""Raised when reading or cleaning changes its results, so that corpora are built anew."""


class FileRecord(Strict):
    """A file's name, size in bytes, and SHA-256."""

    name: str
    size: int
    sha256: str


class SourceRecord(Strict):
    """A source as it was read."""

    label: str
    path: str
    files: tuple[FileRecord, ...]
    encodings: dict[str, int] = Field(default_factory=dict)
    """Text files by the encoding that was found."""
    cut: int = 0
    """Texts that were so long that they were cut into pieces at paragraph ends."""


class Amount(Strict):
    """How much text there is of one language from one source in one split."""

    split: Split
    source: str
    language: str
    documents: int
    bytes: int
    characters: int


class Dropped(Strict):
    """What was dropped for one reason."""

    count: int
    samples: tuple[str, ...]


class Share(Strict):
    """A source's share of the part's training bytes, natural and weighted."""

    weight: float
    natural: float
    weighted: float


class Contamination(Strict):
    """How much of one held-out split stands in training text, in runs of 13 units."""

    documents: int
    """Held-out documents; those of the toy world, made of set phrases, have no runs to find."""
    touched: int
    """Documents kept of which at least one run is found in training."""
    mean_share: float
    """Share of runs found, averaged over the documents kept."""
    largest_share: float
    """The largest share of a document kept."""
    dropped: int
    """Documents dropped because their share reached the bound."""


class PartManifest(Strict):
    """One part of the corpus."""

    settings: str
    """Hash of the settings and sources that it was built from."""
    content: str
    """Hash of its documents, all splits together."""
    files: dict[Split, FileRecord]
    """The documents' files."""
    sources: tuple[SourceRecord, ...]
    amounts: tuple[Amount, ...]
    read: int
    """Documents read, before anything was dropped."""
    dropped: dict[str, Dropped]
    mixture: dict[str, Share]
    contamination: dict[Split, Contamination]
    compared_with: tuple[str, ...]
    """Parts that stood already, whose texts this one does not repeat."""
    script: str
    """The script that Chinese was converted to, or "keep"."""

    def documents(self, split: Split | None = None) -> int:
        """Return the number of documents, in one split or in all."""
        return sum(a.documents for a in self.amounts if split in (None, a.split))

    def bytes(self, split: Split | None = None, language: str = "") -> int:
        """Return the bytes of UTF-8 text, in one split or language or in all."""
        return sum(
            a.bytes
            for a in self.amounts
            if split in (None, a.split) and language in ("", a.language)
        )


class Manifest(Strict):
    """A built corpus."""

    version: int = RULES_VERSION
    parts: dict[str, PartManifest]


def load_manifest(folder: Path) -> Manifest:
    """Read the manifest of a built corpus.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = folder / "manifest.json"
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} holds no finished corpus: it has no manifest.json. "
            "Build one with `hanlin data build RECIPE FOLDER`."
        ) from error
    except ValidationError as error:
        raise DataError(
            f"{path} is damaged or of another version ({error.error_count()} errors, the first: "
            f"{error.errors()[0]['msg']}). Delete it and build the corpus again."
        ) from error


def save_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, whole or not at all."""
    write_json(folder / "manifest.json", manifest.model_dump(mode="json"))


def mix_sources(amounts: Sequence[Amount], weights: Mapping[str, float]) -> dict[str, Share]:
    """Return each source's natural and weighted share of the training bytes.

    >>> amount = dict(split="train", language="en", documents=1, characters=30)
    >>> amounts = [Amount(source="a", bytes=30, **amount), Amount(source="b", bytes=10, **amount)]
    >>> mix_sources(amounts, {"a": 1.0, "b": 3.0})["b"]
    Share(weight=3.0, natural=0.25, weighted=0.5)
    """
    sizes: dict[str, int] = {}
    for amount in amounts:
        if amount.split == "train":
            sizes[amount.source] = sizes.get(amount.source, 0) + amount.bytes
    natural = max(1, sum(sizes.values()))
    weighted = max(1.0, sum(weights[source] * size for source, size in sizes.items()))
    return {
        source: Share(
            weight=weights[source],
            natural=round(size / natural, 6),
            weighted=round(weights[source] * size / weighted, 6),
        )
        for source, size in sizes.items()
    }


if __name__ == "__main__":
    print(json.dumps(Manifest(parts={}).model_dump()))
