"""Finding a text's encoding: UTF-8, UTF-16, GB18030, Big5, and Windows-1252 as the last resort.

Valid UTF-8 is UTF-8. Otherwise each candidate decodes a sample, and the one whose result looks most
like Chinese (frequent characters and punctuation, which a wrong decoding hardly ever hits) or, for
Windows-1252, like Western words with single accented letters, wins. Nothing plausible is an error
that names the byte.

    python -m hanlin.text.encodings
"""

from __future__ import annotations

import codecs
import functools
import re

from hanlin.errors import DataError

__all__ = ["decode_bytes", "find_encoding", "undecodable"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHINESE = ("gb18030", "big5hkscs")
_WIDE = ("utf-16-le", "utf-16-be")
_PLAUSIBLE = 0.4
_WESTERN_SHARE = 0.25
_ACCENTED = re.compile(
    r"(?<![^\x00-\x7f])[À-ÖØ-öø-ÿŠšŽžŒœŸ‘’“”–—…€£©®°«»·\xa0]{1,2}(?![^\x00-\x7f])"
)
_SIGNATURES = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data"),
    (b"\x7fELF", "a program"),
    (b"PAR1", "a Parquet table"),
    (b"SQLite format", "an SQLite database"),
)

# The commonest characters of modern and classical Chinese in both scripts: about four in ten of any
# running text, and one in a hundred of what a wrong decoding yields.
_FREQUENT = frozenset(
    "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后"
    "能对着事其里所去行过家十用发天如然作方成者多日都三小军二无同么经法当起与好看学进种将还分"
    "此心前面又定见只主没公从知使明因文想动意何两长实问正本开点王身老手高面头己全理所样水"
    "這為來個們說國時後會對裡裏過發無經當與學進種將還見從樣點開問頭間體實現門書長東車馬語話"
    "讀寫電動機網軍沒兩於應難師親聽聲關總給"
)
_MARKS = frozenset("，。、；：？！“”‘’「」『』《》（）…—·　")


def find_encoding(sample: bytes, name: str, *, whole: bool = True) -> str:
    """Return the Python codec that reads a sample of a file.

    Args:
        sample: the file's first bytes that are not all ASCII, or all of it.
        name: the file's name, for the error message.
        whole: whether the sample is all there is, so that a character cut at its end is an error.

    Raises:
        DataError: the bytes are binary, or no encoding makes plausible text of them.

    >>> find_encoding("滕王高阁临江渚，佩玉鸣鸾罢歌舞。".encode("gb18030"), "poem.txt")
    'gb18030'
    """
    for bom, encoding in _BOMS:
        if sample.startswith(bom):
            return encoding
    if b"\0" not in sample and _decode(sample, "utf-8", whole) is not None:
        return "utf-8"
    for signature, kind in _SIGNATURES:
        if sample.startswith(signature):
            raise _binary(name, kind)
    score, encoding = max((_score(sample, codec, whole), codec) for codec in _candidates(sample))
    if score >= _PLAUSIBLE:
        return encoding
    if b"\0" in sample:
        raise _binary(name, "binary data: it holds zero bytes")
    raise undecodable(sample, name)


def decode_bytes(data: bytes, name: str) -> tuple[str, str]:
    """Return the text of a whole file and the encoding that was found.

    >>> decode_bytes("中文".encode("utf-8-sig"), "note.txt")
    ('中文', 'utf-8-sig')
    """
    encoding = find_encoding(data, name)
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError as error:
        raise undecodable(data, name, encoding, error) from error


def undecodable(
    data: bytes,
    name: str,
    encoding: str = "utf-8",
    error: UnicodeDecodeError | None = None,
    *,
    start: int = 0,
) -> DataError:
    """Return the error for bytes that are no text; `start` is where `data` begins in the file."""
    if error is None:
        try:
            data.decode(encoding)
        except UnicodeDecodeError as found:
            error = found
    offset = error.start if error else 0
    byte = error.object[offset] if error else data[0]
    return DataError(
        f"{name} cannot be decoded: byte 0x{byte:02x} at offset {start + offset} is no {encoding}. "
        "UTF-8, UTF-16, GB18030, Big5 and Windows-1252 all fail or give implausible text. "
        "Convert the file with `iconv -f ENCODING -t UTF-8`, or repair or remove it."
    )


def _candidates(sample: bytes) -> tuple[str, ...]:
    return _WIDE if b"\0" in sample else (*_CHINESE, "cp1252", *_WIDE)


def _decode(sample: bytes, encoding: str, whole: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample, whole)
    except UnicodeDecodeError:
        return None


def _score(sample: bytes, encoding: str, whole: bool) -> float:
    """Return how plausible a decoding is, from 0 to 1."""
    text = _decode(sample, encoding, whole)
    if not text:
        return 0.0
    if encoding == "cp1252":
        return _western_score(text)
    if encoding in _WIDE:
        # Any even number of bytes is UTF-16 of a sort, so its plain ASCII has to count as well.
        return sum(map(_weight, text)) / len(text)
    foreign = [character for character in text if character > "\x7f"]
    return sum(map(_weight, foreign)) / max(1, len(foreign))


def _weight(character: str) -> float:
    if character in _FREQUENT or character in _MARKS:
        return 1.0
    if character in _common():
        return 0.5
    return 1.0 if " " <= character <= "~" or character in "\t\r\n" else 0.0


def _western_score(text: str) -> float:
    """Return the share of accented letters and quotes that stand alone among ASCII."""
    foreign = sum(character > "\x7f" for character in text)
    controls = sum(character < " " and character not in "\t\r\n\f" for character in text)
    if controls or foreign > _WESTERN_SHARE * len(text):
        return 0.0
    return sum(len(match) for match in _ACCENTED.findall(text)) / max(1, foreign)


@functools.cache
def _common() -> frozenset[str]:
    """Return the first-level characters of GB 2312 and Big5, about 6,700."""
    simplified = _rows(range(0xB0, 0xD8), range(0xA1, 0xFF), "gb2312")
    trails = (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    return simplified | _rows(range(0xA4, 0xC6), trails, "big5")


def _rows(leads: range, trails: range | tuple[int, ...], encoding: str) -> frozenset[str]:
    table = bytes(byte for lead in leads for trail in trails for byte in (lead, trail))
    return frozenset(table.decode(encoding, "ignore"))


def _binary(name: str, kind: str) -> DataError:
    return DataError(
        f"{name} is not text: it looks like {kind}. "
        "Give its text as .txt, .md, .html, .jsonl or .csv, or leave it out."
    )


if __name__ == "__main__":
    for codec in ("utf-8", "utf-16", "utf-16-be", "gb18030", "big5"):
        print(codec, "->", find_encoding("一二三四，我們在這裡說話。".encode(codec), "sample"))
