"""Files as streams: unpacked (.gz, .zst), decoded, line by line, with errors that name the place.

python -m hanlin.text.streams
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from hanlin.errors import DataError, require
from hanlin.text.documents import Reading
from hanlin.text.encodings import find_encoding, undecodable

__all__ = ["PACKED", "open_seekable", "open_unpacked", "read_lines", "read_text"]

PACKED = (".gz", ".zst")
"""Suffixes of packed files; what is inside is told by the suffix before."""

_CHUNK = 1 << 20
_LONGEST_LINE = 1 << 20  # characters, so that a file without line ends streams too


class _MeteredFile(io.FileIO):
    """A raw file that counts what is read from it."""

    def __init__(self, path: Path, reading: Reading) -> None:
        super().__init__(path)
        self.reading = reading

    def readinto(self, buffer: Any) -> int | None:
        size = super().readinto(buffer)
        self.reading.bytes += size or 0
        return size


@contextlib.contextmanager
def open_unpacked(path: Path, reading: Reading) -> Iterator[BinaryIO]:
    """Open a file for reading bytes, unpacked if its suffix says that it is packed.

    Raises:
        DataError: from within the block as well, if the file cannot be read or is damaged.
    """
    damage: tuple[type[Exception], ...] = (EOFError, zlib.error)
    try:
        with contextlib.ExitStack() as stack:
            raw = stack.enter_context(io.BufferedReader(_MeteredFile(path, reading), _CHUNK))
            file: IO[bytes] = raw
            if path.suffix.lower() == ".gz":
                file = cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=raw)))
            elif path.suffix.lower() == ".zst":
                zstandard = require("zstandard", extra="data", purpose="Reading .zst files")
                damage = (*damage, zstandard.ZstdError)
                reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
                file = stack.enter_context(reader)
            yield cast("BinaryIO", file)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path} cannot be read: {reason}. {_way_out(error)}") from error
    except damage as error:
        raise DataError(
            f"{path} is damaged or cut short: {error}. Fetch it again or leave it out."
        ) from error


def _way_out(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "Give the name of a file that exists."
    if isinstance(error, PermissionError):
        return "Make it readable for yourself, or leave it out."
    return "Repair the file or leave it out."


@contextlib.contextmanager
def open_seekable(path: Path, reading: Reading) -> Iterator[BinaryIO]:
    """Open a file whose format has to be read back and forth; a packed one unpacks to disk."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open_unpacked(path, reading))
        if path.suffix.lower() not in PACKED:
            yield file
            return
        temporary = stack.enter_context(tempfile.TemporaryFile())
        shutil.copyfileobj(file, temporary, _CHUNK)
        temporary.seek(0)
        yield cast("BinaryIO", temporary)


def read_text(path: Path, reading: Reading) -> str:
    """Return the whole text of a file, for formats that have to be seen whole."""
    return "".join(_decoded_chunks(path, reading))


def read_lines(path: Path, reading: Reading) -> Iterator[str]:
    """Yield a file's lines with their ends as `\\n`; a line without end comes in long parts."""
    rest = ""
    for chunk in _decoded_chunks(path, reading):
        lines = (rest + chunk).split("\n")
        rest = lines.pop()
        yield from (line + "\n" for line in lines)
        if len(rest) > _LONGEST_LINE:
            yield rest
            rest = ""
    if rest:
        yield rest


def _decoded_chunks(path: Path, reading: Reading) -> Iterator[str]:
    """Yield a file's text in chunks, in the encoding that its own bytes tell."""
    encoding = _file_encoding(path)
    reading.encodings[encoding] += 1
    bytes_decoder = codecs.getincrementaldecoder(encoding)()
    decoder = io.IncrementalNewlineDecoder(bytes_decoder, translate=True)
    done = 0
    with open_unpacked(path, reading) as file:
        while True:
            chunk = file.read(_CHUNK)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                # The decoder may have held back the first bytes of a character.
                held = len(error.object) - len(chunk)
                raise undecodable(chunk, str(path), encoding, error, start=done - held) from error
            yield text
            if not chunk:
                return
            done += len(chunk)


def _file_encoding(path: Path) -> str:
    """Find a file's encoding from the first stretch of it that is not plain ASCII."""
    with open_unpacked(path, Reading()) as file:
        chunk = file.read(_CHUNK)
        while chunk and chunk.isascii() and b"\0" not in chunk:
            chunk = file.read(_CHUNK)
        if not chunk:
            return "utf-8"
        whole = len(chunk) < _CHUNK
    return find_encoding(chunk, str(path), whole=whole)


if __name__ == "__main__":
    with tempfile.NamedTemporaryFile(suffix=".txt.gz") as packed:
        Path(packed.name).write_bytes(gzip.compress("第一行\r\n第二行\n".encode("gb18030")))
        print(list(read_lines(Path(packed.name), Reading())))
