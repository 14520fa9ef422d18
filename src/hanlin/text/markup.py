"""Plain text out of Markdown and HTML.

Markdown loses its front matter, code fences, link targets, pictures and marks; the words stay. HTML
keeps its main content: the `article` or `main` element where there is one, without scripts,
navigation and forms, and without blocks that are mostly links (Kohlschütter et al. 2010). It takes
the standard library's parser, always; a web crawl deserves a heavier tool before it comes here.

    python -m hanlin.text.markup
"""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

__all__ = ["html_to_text", "markdown_to_text"]

_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)\n.*?\n\1[ \t]*(?:\n|\Z)", re.DOTALL)
_FENCE = re.compile(r"^[ \t]*(```+|~~~+).*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_COMMENT_OR_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>\n]*>", re.DOTALL)
_PICTURE = re.compile(r"!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])")
_LINK = re.compile(r"\[([^\]]+)\](?:\([^)]*\)|\[[^\]]*\])")
_DEFINITION = re.compile(r"^[ ]{0,3}\[[^\]]+\]:[ \t]+\S+.*$", re.MULTILINE)
_HEADING = re.compile(r"^[ ]{0,3}#{1,6}[ \t]+(.*?)[ \t]*#*$", re.MULTILINE)
_RULE = re.compile(r"^[ ]{0,3}(?:[-*_=][ \t]*){3,}$", re.MULTILINE)
_QUOTE = re.compile(r"^[ ]{0,3}(?:>[ ]?)+", re.MULTILINE)
_TABLE_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?$", re.M)
_TABLE_EDGE = re.compile(r"^[ \t]*\|[ \t]*|[ \t]*\|[ \t]*$", re.MULTILINE)
_STARS = re.compile(r"(?<!\\)(\*{1,3}|~~)(?=\S)(.+?)(?<=[^\s\\])\1")
_UNDERSCORES = re.compile(r"(?<!\w)(_{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)")
_CODE = re.compile(r"(`+)(.+?)\1")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|>~])")

_DROPPED, _BLOCKS, _VOID = (
    frozenset(tags.split())
    for tags in (
        """
            script style noscript template svg math nav footer aside form button select textarea
            iframe object figure head
        """,
        """
            p div section article main h1 h2 h3 h4 h5 h6 ul ol li dl dt dd table tr blockquote pre
            figcaption details summary address body html hr title
        """,
        """
            area base br col embed hr img input link meta source track wbr
        """,
    )
)
_MAIN = frozenset(("article", "main"))
_LINK_SHARE = 0.6
_SPACES = re.compile(r"[ \t\r\n\f]+")


def markdown_to_text(source: str) -> str:
    """Return the words of a Markdown text; code fences go, inline code stays.

    >>> markdown_to_text("# Title\\n\\nSee **the** [guide](https://x.org).")
    'Title\\n\\nSee the guide.'
    """
    text = _FRONT_MATTER.sub("", source)
    for pattern in (_FENCE, _COMMENT_OR_TAG, _PICTURE, _DEFINITION, _TABLE_RULE, _RULE):
        text = pattern.sub("", text)
    text = _LINK.sub(r"\1", text)
    text = _HEADING.sub(r"\1", text)
    for pattern in (_QUOTE, _TABLE_EDGE):
        text = pattern.sub("", text)
    for pattern in (_STARS, _UNDERSCORES, _STARS, _CODE):  # emphasis may lie within emphasis
        text = pattern.sub(r"\2", text)
    return html.unescape(_ESCAPE.sub(r"\1", text))


def html_to_text(source: str) -> str:
    """Return the main content of an HTML page, one block a line, blocks parted by blank lines.

    >>> html_to_text("<nav>Home</nav><main><h1>春</h1><p>花开&amp;鸟鸣<br>雨</p></main>")
    '春\\n\\n花开&鸟鸣\\n雨'
    """
    parser = _PageParser()
    parser.feed(source)
    parser.close()
    return parser.text()


class _PageParser(HTMLParser):
    """Collects blocks of text with the share of each that is link text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[tuple[bool, str]] = []
        self._words: list[str] = []
        self._linked = 0
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self._words.append("\0")
        if tag in _BLOCKS:
            self._end_block()
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._open:
            return
        # HTML leaves many elements open; closing one closes all that were opened inside it.
        if tag in _BLOCKS:
            self._end_block()
        while self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not _DROPPED.isdisjoint(self._open):
            return
        self._words.append(data)
        if "a" in self._open:
            self._linked += len(data.strip())

    def text(self) -> str:
        """Return the text of the main elements, or of all where there are none."""
        self._end_block()
        main = [block for inside, block in self.blocks if inside]
        return "\n\n".join(main or [block for _, block in self.blocks])

    def _end_block(self) -> None:
        words = _SPACES.sub(" ", "".join(self._words))
        text = "\n".join(line.strip() for line in words.split("\0")).strip()
        if text and self._linked <= _LINK_SHARE * len(text):
            self.blocks.append((not _MAIN.isdisjoint(self._open), text))
        self._words, self._linked = [], 0


if __name__ == "__main__":
    print(html_to_text("<body><ul><li><a href='/'>首页</a></ul><p>正文在这里。</p></body>"))
