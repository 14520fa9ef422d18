"""From a source of the recipe to its documents: a file, a folder, a glob, or the toy world.

A file that is named itself has to be readable; in a folder or a glob, one that is not is left out
and counted with the reason. Files come in the order of their names, so that ids are stable.

    python -m hanlin.text.readers
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hanlin.config import SourceConfig
from hanlin.errors import DataError, MissingExtraError
from hanlin.text.documents import Document, Reading, Tally
from hanlin.text.formats import FORMATS, format_of

__all__ = ["SourceFile", "SourceReader", "list_files", "read_documents"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source: where it is, and its name in ids and messages."""

    path: Path
    name: str
    named: bool
    """Whether the recipe names the file itself, so that it must not be left out."""


@dataclass(slots=True)
class SourceReader:
    """Reads one source and keeps account of what was left out, found and read."""

    source: SourceConfig
    base: Path
    reading: Reading = field(default_factory=Reading)

    def __iter__(self) -> Iterator[Document]:
        """Yield the documents as they are read; their language is empty until cleaning."""
        if self.source.world is not None:
            yield from self._read_world()
            return
        for file in list_files(self.source, self.base, self.reading.tally):
            try:
                yield from self._read_file(file)
            except (DataError, MissingExtraError) as error:
                if file.named:
                    raise
                self.reading.tally.drop("unreadable file", f"{file.name}: {error}")

    def total(self) -> int:
        """Return what there is to read: bytes of files, or stories of the toy world."""
        if self.source.world is not None:
            return self.source.world.stories * len(self.source.world.languages)
        return sum(file.path.stat().st_size for file in list_files(self.source, self.base))

    def _read_file(self, file: SourceFile) -> Iterator[Document]:
        suffix = format_of(file.path)
        read = FORMATS.get(suffix, FORMATS[".txt"])
        label = self.source.label
        name = file.name if file.name == label else f"{label}/{file.name}"
        for index, text in enumerate(read(file.path, self.source, self.reading)):
            yield Document(text, "", label, f"{name}#{index}")

    def _read_world(self) -> Iterator[Document]:
        from hanlin.text.world import write_stories

        assert self.source.world is not None
        label = self.source.label
        for index, (text, language) in enumerate(write_stories(self.source.world)):
            yield Document(text, language, label, f"{label}#{index}")


def read_documents(source: SourceConfig, base: Path) -> Iterator[Document]:
    """Yield a source's documents as they are read, neither cleaned nor checked.

    Raises:
        DataError: the path is missing, or a file that it names itself cannot be read.
    """
    return iter(SourceReader(source, base))


def list_files(source: SourceConfig, base: Path, tally: Tally | None = None) -> list[SourceFile]:
    """Return a source's files in the order of their names; count what is left out in `tally`.

    Raises:
        DataError: nothing lies at the path, or no file there has a known suffix.
    """
    place = base / Path(source.path).expanduser()
    if place.is_file():
        return [SourceFile(place, place.name, named=True)]
    if place.is_dir():
        names = sorted(_walk(place))
    else:
        place, names = base, sorted(_expand(Path(source.path).expanduser(), base))
    files = [SourceFile(place / name, name, named=False) for name in names]
    return _with_known_suffix(files, source, base, tally or Tally())


def _walk(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            yield (Path(parent) / name).relative_to(folder).as_posix()


def _expand(pattern: Path, base: Path) -> Iterator[str]:
    root = Path(pattern.anchor) if pattern.is_absolute() else base
    for found in root.glob(str(pattern.relative_to(pattern.anchor))):
        if found.is_file():
            yield Path(os.path.relpath(found, base)).as_posix()


def _with_known_suffix(
    files: list[SourceFile], source: SourceConfig, base: Path, tally: Tally
) -> list[SourceFile]:
    known = []
    for file in files:
        if file.path.name.startswith("."):
            tally.drop("hidden file", file.name)
        elif not file.path.is_file():
            tally.drop("broken link", file.name)
        elif format_of(file.path) in FORMATS:
            known.append(file)
        else:
            tally.drop("file of unknown kind", file.name)
    if known:
        return known
    place = base / source.path
    if not files and not place.exists():
        raise DataError(
            f"The source {source.label!r} names {place}, where nothing lies. "
            "Give an existing file, folder or glob; in a recipe, relative paths start at its own."
        )
    raise DataError(
        f"The source {source.label!r} finds no text in {place}: {len(files)} files, none of a "
        f"known kind. Give files that end in {', '.join(FORMATS)} (.gz and .zst around them too)."
    )


if __name__ == "__main__":
    here = Path(__file__)
    for document in read_documents(SourceConfig(path=here.name), here.parent):
        print(document.id, len(document.text))
