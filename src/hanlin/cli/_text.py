"""Text that a verb measures or calibrates on: files, or the corpus of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hanlin.text import Document, Split

__all__ = ["read_text", "run_text"]


def read_text(paths: Sequence[Path], *, blocks: bool) -> list[Document]:
    """Return the documents in files and folders, each with the language that it is in."""
    from dataclasses import replace

    from hanlin.config import SourceConfig
    from hanlin.text import find_language, read_documents

    documents = []
    for path in paths:
        source = SourceConfig(path=str(path), blocks=blocks)
        for document in read_documents(source, Path.cwd()):
            documents.append(replace(document, language=find_language(document.text)))
    return documents


def run_text(run: Path, split: Split) -> Iterator[Document]:
    """Yield the documents of one split of a run's corpus; none where there is no corpus."""
    from hanlin.runs import RunFolder
    from hanlin.text import iterate_documents, load_manifest

    corpus = RunFolder(run).corpus
    if not (corpus / "manifest.json").is_file():
        return
    for part in load_manifest(corpus).parts:
        yield from iterate_documents(corpus, part, split)
