"""The documents of a built corpus on disk: a file for each split of each part, a document a line.

for document in iterate_documents(folder, "main", "train"): ...
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from hanlin.errors import DataError
from hanlin.text.documents import Document
from hanlin.text.split import SPLITS, Split

__all__ = ["documents_path", "iterate_documents"]


def documents_path(folder: Path, part: str, split: Split) -> Path:
    """Return where the documents of one split of one part lie."""
    return folder / "documents" / f"{part}.{split}.jsonl"


def iterate_documents(folder: Path, part: str, split: Split) -> Iterator[Document]:
    """Yield the documents of one split of one part in their order.

    Raises:
        DataError: the part was not built, or a line is damaged.
    """
    path = documents_path(folder, part, split)
    if not path.exists():
        built = sorted({file.name.rsplit(".", 2)[0] for file in path.parent.glob("*.jsonl")})
        raise DataError(
            f"{folder} holds no documents of the split {split!r} of the part {part!r}; its parts "
            f"are {built}, each split into {list(SPLITS)}. Name one of these, or build the part."
        )
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield Document(**json.loads(line))
            except (json.JSONDecodeError, TypeError) as error:
                raise DataError(
                    f"{path} is damaged in line {number}: {error}. "
                    "Delete the corpus folder's manifest.json and build the corpus again."
                ) from error
