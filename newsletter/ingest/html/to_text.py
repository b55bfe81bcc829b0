"""Turn HTML into paragraphs of plain text. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "caption", "dd", "div", "dl", "dt", "figcaption", "figure",
    "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "ol", "p", "pre", "section",
    "table", "ul",
})  # fmt: skip
_LINES = frozenset({"li", "tr"})
_UNSEEN = frozenset({"script", "style", "template", "head", "title", "noscript"})
_SPACES = re.compile(r"[ \t\r\n\f\u00a0]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def to_paragraphs(html: str) -> tuple[str, ...]:
    """Return the paragraphs of HTML: a line for each list item and table row, cells joined by " | "."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return tuple(reader.paragraphs())


def to_line(html: str) -> str:
    """Return the text of HTML on one line."""
    return " ".join(" ".join(to_paragraphs(html)).split())


def one_line(text: str) -> str:
    """Return plain text on one line, without control characters."""
    return " ".join(_CONTROLS.sub(" ", text).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._done: list[list[str]] = [[]]
        self._line: list[str] = []
        self._unseen = 0
        self._preformatted = 0
        self._row_has_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "br":
            self._end_line()
        elif tag in _LINES:
            self._end_line()
            self._row_has_cell = False
            if tag == "li":
                self._line.append("- ")
        elif tag in {"td", "th"}:
            if self._row_has_cell:
                self._line.append(" | ")
            self._row_has_cell = True
        elif tag in _BLOCKS:
            self._end_paragraph()
        self._preformatted += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _LINES:
            self._end_line()
        elif tag in _BLOCKS:
            self._end_paragraph()
        if tag == "pre":
            self._preformatted = max(0, self._preformatted - 1)

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if self._preformatted:
            *whole, last = data.split("\n")
            for each in whole:
                self._line.append(each)
                self._end_line()
            self._line.append(last)
        else:
            self._line.append(_SPACES.sub(" ", data))

    def _end_line(self) -> None:
        text = _CONTROLS.sub("", "".join(self._line))
        text = text.rstrip() if self._preformatted else " ".join(text.split())
        self._line.clear()
        if text and text != "-":
            self._done[-1].append(text)

    def _end_paragraph(self) -> None:
        self._end_line()
        if self._done[-1]:
            self._done.append([])

    def paragraphs(self) -> list[str]:
        """Return the paragraphs read so far."""
        self._end_line()
        return ["\n".join(lines) for lines in self._done if lines]
