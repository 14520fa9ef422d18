"""The texts inside one file, one function a format, each a stream of texts as the file gives them.

Plain text, records and tables stream; Markdown, HTML, PDF and DOCX are read whole, because their
structure has to be.

    python -m hanlin.text.formats
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from hanlin.config import SourceConfig
from hanlin.errors import DataError, HanlinError, require
from hanlin.text.documents import Reading
from hanlin.text.markup import html_to_text, markdown_to_text
from hanlin.text.streams import PACKED, open_seekable, read_lines, read_text

__all__ = ["FORMATS", "Reader", "format_of"]

Reader = Callable[[Path, SourceConfig, Reading], Iterator[str]]

_MISSING = "record without the field"
_LONGEST_CELL = 1 << 30
_HYPHEN = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
# A line that ends without a full stop goes on in the next; between Han characters, no space.
_HAN_WRAP = re.compile(r"(?<=[\u3400-\u9fff，、；：])[ ]*\n[ ]*(?=[\u3400-\u9fff，、；：。！？”])")
_WORD_WRAP = re.compile(r"(?<=[a-z,;])[ ]*\n[ ]*(?=[a-z(])")


def format_of(path: Path) -> str:
    """Return the suffix that tells a file's format, in lower case, the packing left out.

    >>> format_of(Path("a/novels.TXT.gz"))
    '.txt'
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _read_plain(path: Path, source: SourceConfig, reading: Reading) -> Iterator[str]:
    lines = read_lines(path, reading)
    if not source.blocks:
        yield from reading.cut_file(lines)
        return
    for blank, block in itertools.groupby(lines, key=str.isspace):
        if not blank:
            yield from reading.cut_record(block)


def _read_markdown(path: Path, _source: SourceConfig, reading: Reading) -> Iterator[str]:
    yield from reading.cut_file(_lines(markdown_to_text(read_text(path, reading))))


def _read_html(path: Path, _source: SourceConfig, reading: Reading) -> Iterator[str]:
    yield from reading.cut_file(_lines(html_to_text(read_text(path, reading))))


def _read_jsonl(path: Path, source: SourceConfig, reading: Reading) -> Iterator[str]:
    return _texts(_json_records(path, reading), path, source, reading)


def _read_csv(path: Path, source: SourceConfig, reading: Reading) -> Iterator[str]:
    # The limit is the process's own, and its default of 131,072 is shorter than a chapter.
    csv.field_size_limit(_LONGEST_CELL)
    delimiter = "\t" if format_of(path) == ".tsv" else ","
    rows = csv.DictReader(read_lines(path, reading), delimiter=delimiter, strict=True)
    try:
        yield from _texts(rows, path, source, reading)
    except csv.Error as error:
        raise DataError(
            f"{path} is not a table of the format {format_of(path)[1:]}: line {rows.line_num}: "
            f"{error}. Repair the line or leave the file out."
        ) from error


def _read_parquet(path: Path, source: SourceConfig, reading: Reading) -> Iterator[str]:
    parquet = require("pyarrow.parquet", extra="data", purpose="Reading Parquet")
    with open_seekable(path, reading) as file, _foreign_errors(path, "Parquet table"):
        table = parquet.ParquetFile(file)
        names = table.schema_arrow.names
        if source.field not in names:
            raise _no_field(path, source, names)
        for batch in table.iter_batches(batch_size=1024, columns=[source.field]):
            yield from _texts(batch.to_pylist(), path, source, reading)


def _read_pdf(path: Path, _source: SourceConfig, reading: Reading) -> Iterator[str]:
    pypdf = require("pypdf", extra="data", purpose="Reading PDF")
    with open_seekable(path, reading) as file, _foreign_errors(path, "PDF document"):
        pages = [page.extract_text() for page in pypdf.PdfReader(file).pages]
    text = _unwrap("\n".join(pages))
    if not text.strip():
        raise DataError(
            f"{path} holds no text: its {len(pages)} pages are pictures. "
            "Run a text recognition on it first, or leave it out."
        )
    yield from reading.cut_file(_lines(text))


def _read_docx(path: Path, _source: SourceConfig, reading: Reading) -> Iterator[str]:
    docx = require("docx", extra="data", purpose="Reading DOCX")
    with open_seekable(path, reading) as file, _foreign_errors(path, "DOCX document"):
        blocks = list(docx.Document(file).iter_inner_content())
        text = "".join(_docx_block(block) for block in blocks)
    yield from reading.cut_file(_lines(text))


FORMATS: dict[str, Reader] = {
    ".txt": _read_plain,
    ".text": _read_plain,
    ".md": _read_markdown,
    ".markdown": _read_markdown,
    ".html": _read_html,
    ".htm": _read_html,
    ".xhtml": _read_html,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
    ".pdf": _read_pdf,
    ".docx": _read_docx,
}
"""The reader of each suffix."""


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _json_records(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    # A record may be longer than the longest line that `read_lines` keeps whole.
    parts: list[str] = []
    for number, line in enumerate(read_lines(path, reading), start=1):
        parts.append(line)
        if not line.endswith("\n"):
            continue
        yield from _json_record("".join(parts), path, number)
        parts = []
    yield from _json_record("".join(parts), path, "last")


def _json_record(line: str, path: Path, number: int | str) -> Iterator[dict[str, Any]]:
    if not line.strip():
        return
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: line {number} is not JSON ({error}): {line[:60].strip()!r}. "
            "Repair the line or leave the file out."
        ) from error
    yield record if isinstance(record, dict) else {}


def _texts(
    records: Iterable[dict[str, Any]],
    path: Path,
    source: SourceConfig,
    reading: Reading,
) -> Iterator[str]:
    """Yield the records' texts; a file in which no record has the field is an error."""
    found = False
    fields: dict[str, None] = {}
    number = 0
    for number, record in enumerate(records, start=1):
        text = record.get(source.field)
        if isinstance(text, str):
            found = True
            yield from reading.cut_record(_lines(text))
        else:
            fields.update(dict.fromkeys(map(str, record)))
            reading.tally.drop(f"{_MISSING} {source.field!r}", f"{path.name}: record {number}")
    if number and not found:
        raise _no_field(path, source, list(fields))


def _no_field(path: Path, source: SourceConfig, names: list[str]) -> DataError:
    known = ", ".join(names[:12]) or "none"
    return DataError(
        f"{path} has no text in the field {source.field!r}; its fields are: {known}. "
        f"Set `field` of the source {source.label!r} to the one that holds the text."
    )


def _docx_block(block: Any) -> str:
    rows = getattr(block, "rows", None)
    if rows is None:
        return f"{block.text}\n"
    return "".join(" ".join(cell.text for cell in row.cells) + "\n" for row in rows)


def _unwrap(text: str) -> str:
    """Join the lines that a page's width broke."""
    text = _HYPHEN.sub("", text)
    return _WORD_WRAP.sub(" ", _HAN_WRAP.sub("", text))


@contextlib.contextmanager
def _foreign_errors(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever another package's parser raises into a DataError."""
    try:
        yield
    except (HanlinError, OSError):
        raise
    except Exception as error:  # these parsers document no common base
        raise DataError(
            f"{path} is not a readable {kind}: {type(error).__name__}: {error}. "
            "Repair the file or leave it out."
        ) from error


if __name__ == "__main__":
    print(" ".join(FORMATS))
