"""Wrap plain text to fixed-width lines, and convert HTML to plain text. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser

WIDTH = 72

_SPACES = re.compile(r"[ \t\n\r\f\v]+")
_HIDDEN = {"script", "style", "head", "title", "template", "noscript", "svg", "object", "iframe"}
_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header",
    "hr", "html", "li", "main", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot",
    "thead", "tr", "ul",
}  # fmt: skip
# Blocks without an empty line between them.
_CLOSE = {"li", "tr", "dt", "dd", "caption", "summary", "figcaption"}
_RULE = "-" * WIDTH


def wrap(text: str, width: int = WIDTH, indent: str = "", hang: str | None = None) -> str:
    """Return `text` as lines of at most `width` columns. Line breaks stay; runs of spaces become one.

    `indent` goes before the first line, `hang` (by default the same) before the others. Wide characters of
    East Asian scripts take two columns, and a line may end between them. A word or link that is too long is
    not split.
    """
    rest = indent if hang is None else hang
    lines: list[str] = []
    for paragraph in text.strip("\n").split("\n"):
        lines += _wrapped(paragraph, width, rest if lines else indent, rest)
    return "\n".join(lines)


def _wrapped(paragraph: str, width: int, indent: str, hang: str) -> list[str]:
    lines: list[str] = []
    line, used, empty = indent, columns(indent), True
    for space, token in _tokens(paragraph):
        size = columns(token)
        gap = 1 if space and not empty else 0
        if not empty and used + gap + size > width:
            lines.append(line)
            line, used, gap = hang, columns(hang), 0
        line += " " * gap + token
        used += gap + size
        empty = False
    return [*lines, line.rstrip() if empty else line]


def _tokens(paragraph: str) -> Iterator[tuple[bool, str]]:
    """Yield the pieces that must not be split, each with whether a space comes before it."""
    for word in _SPACES.split(paragraph.strip()):
        if not any(_is_wide(char) for char in word):
            if word:
                yield True, word
            continue
        run, space = "", True
        for char in word:
            # Closing punctuation stays with the text before it, and opening punctuation with the text after.
            closes = unicodedata.category(char) in {"Pe", "Pf", "Po", "Mn", "Mc", "Lm"}
            opened = bool(run) and unicodedata.category(run[-1]) in {"Ps", "Pi"}
            narrow = bool(run) and not _is_wide(char) and not _is_wide(run[-1])
            if run and not closes and not opened and not narrow:
                yield space, run
                run, space = "", False
            run += char
        yield space, run


def columns(text: str) -> int:
    """Return how many columns `text` takes in a fixed-width font."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(char) else 2 if _is_wide(char) else 1 for char in text)


def _is_wide(char: str) -> bool:
    return char > "\u10ff" and unicodedata.east_asian_width(char) in "WF"


def html_to_text(html: str, width: int = WIDTH) -> str:
    """Return HTML as plain text: wrapped paragraphs, list markers, links as numbered notes at the end.

    Broken HTML raises nothing. Scripts, styles and other hidden elements are left out.
    """
    writer = _Writer(width)
    writer.feed(html)
    writer.close()
    return writer.text()


class _Writer(HTMLParser):
    """Writes each block when it ends. `_prefix` is the text that quotations and lists put before lines."""

    def __init__(self, width: int) -> None:
        super().__init__(convert_charrefs=True)
        self._width = width
        self._out: list[str] = []
        self._inline = ""
        self._close_to_last = False
        self._hidden = 0
        self._pre = 0
        self._prefix: list[str] = []
        self._marks: list[str] = []
        self._lists: list[int | None] = []
        self._link: tuple[str, int] | None = None
        self._notes: list[str] = []
        self._cells = 0

    def text(self) -> str:
        """Return the text, followed by the numbered notes."""
        self._end_block()
        body = "\n".join(self._out).strip("\n")
        if self._notes:
            notes = [f"[{at}] {url}" for at, url in enumerate(self._notes, start=1)]
            body = "\n".join([*([body, ""] if body else []), *notes])
        return body + "\n" if body else ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a block, a list, a link or a hidden element."""
        if tag in _HIDDEN:
            self._hidden += 1
        if self._hidden:
            return
        if tag in _BLOCKS:
            # No empty line between an item's text and a list inside it.
            self._end_block(close=tag in _CLOSE or (tag in {"ul", "ol"} and bool(self._lists)))
        if tag in {"td", "th"}:
            self._inline += " | " if self._cells and self._inline.strip() else ""
            self._cells += 1
        else:
            self._open(tag, dict(attrs))

    def _open(self, tag: str, values: dict[str, str | None]) -> None:
        match tag:
            case "br":
                self._inline += "\n"
            case "hr":
                self._out += [*self._gap(), self._indent() + _RULE[: self._width - len(self._indent())]]
                self._close_to_last = False
            case "pre":
                self._pre += 1
            case "blockquote":
                self._prefix.append("> ")
            case "ul" | "ol":
                start = values.get("start") or "1"
                self._lists.append((int(start) if start.isdigit() else 1) if tag == "ol" else None)
            case "li":
                self._begin_item()
            case "a":
                self._link = ((values.get("href") or "").strip(), len(self._inline))
            case "img":
                self._inline += (values.get("alt") or "").strip()
            case "tr":
                self._cells = 0
            case _:
                pass

    def handle_endtag(self, tag: str) -> None:
        """Close what `handle_starttag` opened. An end tag without a start tag is ignored."""
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
            return
        if self._hidden:
            return
        if tag == "a":
            self._end_link()
        if tag in _BLOCKS:
            self._end_block(close=tag in _CLOSE)
        match tag:
            case "pre":
                self._pre = max(0, self._pre - 1)
            case "blockquote" if "> " in self._prefix:
                self._prefix.reverse()
                self._prefix.remove("> ")
                self._prefix.reverse()
            case "ul" | "ol" if self._lists:
                self._lists.pop()
            case "li" if self._prefix and self._prefix[-1].isspace():
                self._prefix.pop()
                self._marks.clear()
            case _:
                pass

    def handle_data(self, data: str) -> None:
        """Add text to the open block."""
        if self._hidden:
            return
        self._inline += data if self._pre else _SPACES.sub(" ", data)

    def _begin_item(self) -> None:
        at = self._lists[-1] if self._lists else None
        mark = "- " if at is None else f"{at}. "
        if at is not None:
            self._lists[-1] = at + 1
        self._marks.append(self._indent() + mark)
        self._prefix.append(" " * len(mark))

    def _end_link(self) -> None:
        if self._link is None:
            return
        (url, begun), self._link = self._link, None
        shown = self._inline[begun:].strip()
        if not url.startswith(("http://", "https://", "mailto:")) or not shown:
            return
        # A link whose text is its URL needs no note.
        if shown.rstrip("/") in {url.rstrip("/"), url.partition("://")[2].rstrip("/"), url[7:]}:
            return
        if url not in self._notes:
            self._notes.append(url)
        self._inline = f"{self._inline.rstrip()} [{self._notes.index(url) + 1}]"

    def _indent(self) -> str:
        return "".join(self._prefix)

    def _gap(self, *, close: bool = False) -> list[str]:
        """Return the empty line before a block, with ">" inside a quotation."""
        if not self._out or (close and self._close_to_last):
            return []
        quoted = self._out[-1].startswith(">") and self._indent().startswith(">")
        return [">" if quoted else ""]

    def _end_block(self, *, close: bool = False) -> None:
        if self._pre:
            written = self._inline.strip("\n").rstrip().split("\n")
            content = "\n".join(self._indent() + line.rstrip() for line in written) if any(written) else ""
        else:
            lines = [_SPACES.sub(" ", line).strip() for line in self._inline.split("\n")]
            content = "\n".join(lines).strip("\n")
            if content:
                hang = self._indent()
                content = wrap(content, self._width, self._marks[-1] if self._marks else hang, hang)
        self._inline = ""
        if not content:
            return
        self._out += [*self._gap(close=close), content]
        self._marks.clear()
        self._close_to_last = close
