"""A user's files and folders as sources of a recipe: their names, and the field that holds text.

python -m hanlin.planning.own_text FILE_OR_FOLDER...
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hanlin.config import SourceConfig
from hanlin.errors import DataError, UserError
from hanlin.text.formats import format_of
from hanlin.text.readers import list_files

__all__ = ["first_words", "own_sources"]

_FIELDS = ("text", "content", "body", "document", "article", "output", "正文", "内容")
_RECORDS = (".jsonl", ".ndjson", ".csv", ".tsv")
_LOOKED_AT = 20
_PROMPT_CHARACTERS, _PROMPT_WORDS = 4, 3


def own_sources(paths: Sequence[Path]) -> tuple[SourceConfig, ...]:
    """Return a source for each path, with absolute paths and names that differ.

    Raises:
        DataError: there is no path, or one of them is missing or holds no text.
    """
    if not paths:
        raise DataError("No text was named. Give files or folders with --text.")
    names: dict[str, int] = {}
    sources = []
    for path in paths:
        place = path.expanduser().absolute()
        name = place.name or "text"
        names[name] = names.get(name, 0) + 1
        if names[name] > 1:
            name = f"{name}-{names[name]}"
        source = SourceConfig(path=str(place), name=name)
        field = _field(source)
        sources.append(source.model_copy(update={"field": field}) if field else source)
    return tuple(sources)


def first_words(text: str) -> str:
    """Return the beginning of a text as a prompt: four Han characters, or three words.

    >>> first_words("从前有一只猫。"), first_words("The old man went home.")
    ('从前有一', 'The old man')
    """
    line = text.strip().split("\n", 1)[0]
    if any("\u3400" <= letter <= "\u9fff" for letter in line[:_PROMPT_CHARACTERS]):
        return line[:_PROMPT_CHARACTERS]
    return " ".join(line.split()[:_PROMPT_WORDS])


def _field(source: SourceConfig) -> str:
    """Return the field that holds the text where a source's records name it otherwise."""
    files = [file.path for file in list_files(source, Path())]
    records = next((path for path in files if format_of(path) in _RECORDS), None)
    if records is None:
        return ""
    try:
        found = list(itertools.islice(_records(records), _LOOKED_AT))
    except (OSError, ValueError, UserError, csv.Error):
        return ""  # the reader says later, in full, what is wrong with the file
    lengths: dict[str, int] = {}
    for record in found:
        for name, value in record.items():
            if isinstance(value, str):
                lengths[name] = lengths.get(name, 0) + len(value)
    known = next((name for name in _FIELDS if name in lengths), "")
    return known or max(lengths, key=lambda name: lengths[name], default="")


def _records(path: Path) -> Iterator[dict[str, Any]]:
    from hanlin.text.documents import Reading
    from hanlin.text.streams import read_lines

    lines = read_lines(path, Reading())
    if format_of(path) in (".csv", ".tsv"):
        delimiter = "\t" if format_of(path) == ".tsv" else ","
        yield from csv.DictReader(lines, delimiter=delimiter)
        return
    for line in lines:
        record = json.loads(line) if line.strip() else None
        if isinstance(record, dict):
            yield record


if __name__ == "__main__":
    import sys

    print(own_sources([Path(argument) for argument in sys.argv[1:]]))
