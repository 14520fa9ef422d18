"""Cleaning one text: Unicode, mojibake, control characters, widths, spaces, and the script.

What it changes: UTF-8 that was read as Windows-1252 is read again; Unicode is composed (NFC);
control, zero-width and direction marks go; full-width letters and digits become ASCII. What it
keeps: Chinese punctuation at full width (so no NFKC), indentation, paragraphs, emoji.

    python -m hanlin.text.cleaning
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Any, Literal

__all__ = ["clean_text", "convert_script", "repair_mojibake"]

_LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f\u00ad\u180e\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
_HIGH_CONTROLS = re.compile("[\x80-\x84\x86-\x9f]")  # bytes of misread text, until it is repaired
_EMOJI = "\u2190-\u2bff\ufe0f\U0001f000-\U0001faff"
_LONE_JOINER = re.compile(f"\u200d(?![{_EMOJI}])|(?<![{_EMOJI}])\u200d")
_ODD_SPACES = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_FULL_WIDTH = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]+")
_HALF_WIDTH = dict(zip("｡｢｣､･", "。「」、・", strict=True))
_HALF_WIDTH_MARK = re.compile("[｡｢｣､･]")
_INDENT = re.compile("^[ \t]*[\u3000\xa0][ \t\u3000\xa0]*", re.MULTILINE)
_INNER_SPACES = re.compile(r"(?<=[^ \t\n])(?:\t[ \t]*|[ \t]{2,})")
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_GAPS = re.compile(r"\n{3,}")

# What Windows-1252 makes of the bytes 0x80 to 0x9f; those that it leaves open stay control codes.
_CP1252 = "".join(
    bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xA0)
)
_TO_BYTE = {ord(character): byte for byte, character in enumerate(_CP1252, start=0x80)}
_CONTINUATION = f"\x80-\xbf{_CP1252}"
_MOJIBAKE = re.compile(
    f"(?:[\xc2-\xdf][{_CONTINUATION}]|[\xe0-\xef][{_CONTINUATION}]{{2}}"
    f"|[\xf0-\xf4][{_CONTINUATION}]{{3}})+"
)


def clean_text(text: str) -> str:
    """Return a text cleaned by the rules above; cleaning twice changes nothing more.

    >>> clean_text("Ｈａｎｌｉｎ　２０２６，你好！\\u200b\\r\\n\\r\\n\\r\\n\\r\\ncafÃ©  ")
    'Hanlin 2026，你好！\\n\\ncafé'
    """
    # One rule may uncover work for another, so they are applied until nothing changes.
    while (cleaned := _clean_characters(text)) != text:
        text = cleaned
    if "\t" in text or "  " in text:
        text = _INNER_SPACES.sub(" ", text)
    text = _TRAILING.sub("", text)
    return _GAPS.sub("\n\n", text).strip("\n").rstrip()


def repair_mojibake(text: str) -> str:
    """Return a text in which UTF-8 that was read as Windows-1252 or Latin-1 is put right.

    Only runs of characters that are valid UTF-8 byte for byte are touched, which proper text in any
    language hardly ever is.

    >>> repair_mojibake("ä¸­æ–‡ and cafÃ©")
    '中文 and café'
    """
    while (repaired := _MOJIBAKE.sub(_reread, text)) != text:  # text may be misread twice
        text = repaired
    return text


def convert_script(text: str, script: Literal["simplified", "traditional"]) -> str:
    """Return a Chinese text in one script, by OpenCC's phrases.

    >>> convert_script("漢語的頭髮", "simplified")
    '汉语的头发'
    """
    converted: str = _converter("t2s" if script == "simplified" else "s2t").convert(text)
    return converted


def _clean_characters(text: str) -> str:
    """Apply the rules on characters once; most of them cannot concern plain ASCII."""
    text = _INVISIBLE.sub("", text)
    if text.isascii():
        return _LINE_ENDS.sub("\n", text)
    text = _HIGH_CONTROLS.sub("", repair_mojibake(text))
    text = unicodedata.normalize("NFC", _LINE_ENDS.sub("\n", text))
    text = _LONE_JOINER.sub("", text) if "\u200d" in text else text
    text = _FULL_WIDTH.sub(_to_ascii, text)
    text = _HALF_WIDTH_MARK.sub(lambda match: _HALF_WIDTH[match.group()], text)
    return _ODD_SPACES.sub(" ", _INDENT.sub("", text))


def _to_ascii(match: re.Match[str]) -> str:
    return "".join(chr(ord(character) - 0xFEE0) for character in match.group())


def _reread(match: re.Match[str]) -> str:
    run = match.group()
    try:
        return bytes(_TO_BYTE.get(ord(character), ord(character)) for character in run).decode()
    except (UnicodeDecodeError, ValueError):
        return run


@functools.cache
def _converter(name: str) -> Any:
    import opencc

    return opencc.OpenCC(name)


if __name__ == "__main__":
    misread = "春眠不觉晓".encode().decode("latin-1")
    print(clean_text(f"　　ＡＢＣ１２３，全角标点保留。 \r\n{misread}"))
