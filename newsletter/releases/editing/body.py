"""The body of a release as an editor writes it (Markdown), and the other way around. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import NamedTuple

from markdown_it import MarkdownIt

from newsletter.errors import InputError
from newsletter.mail.clean_html import LONGEST_HTML, clean_html
from newsletter.mail.markdown import MOST_NESTING, refuse_deep

# More than any release has, and what is rendered within a second.
LONGEST_BYTES = 200_000
_BLOCKS = frozenset(
    {"p", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "table", "pre", "hr", "caption"}
)
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~])")
_LINE_START = re.compile(r"^(\s*)(#+|[+=-]+|\d+[.)])(?=\s|$)", re.MULTILINE)


class Body(NamedTuple):
    """A text as clean HTML, and as plain text with an empty line between paragraphs."""

    html: str
    text: str


def from_markdown(source: str) -> Body:
    """Return the body that an editor wrote. HTML in it is shown as text. Raises InputError."""
    source = source.replace("\0", "").replace("\r\n", "\n").strip()
    if len(source.encode()) > LONGEST_BYTES:
        raise InputError(f"The text has more than {LONGEST_BYTES:,} bytes. Make it shorter.")
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MOST_NESTING}).enable("table")
    parser.disable(["image", "html_block", "html_inline"])
    tokens = parser.parse(source)
    refuse_deep(tokens)
    html = re.sub(r"<(/?)h[12]>", r"<\1h3>", parser.renderer.render(tokens, parser.options, {}))
    if len(html) > LONGEST_HTML:
        raise InputError(f"The text has more than {LONGEST_HTML:,} characters as HTML. Make it shorter.")
    html = clean_html(html, "")
    text = to_text(html)
    if not any(map(str.isalnum, text)):
        raise InputError("The text is empty. Write the text of the release.")
    return Body(html, text)


def to_markdown(html: str) -> str:
    """Return clean HTML of a release as Markdown for an editor."""
    return _written(_Writer(marks=True), html)


def to_text(html: str) -> str:
    """Return clean HTML of a release as plain text."""
    return _written(_Writer(marks=False), html)


def _written(writer: _Writer, html: str) -> str:
    writer.feed(html)
    writer.close()
    writer.end_block()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in writer.lines)).strip()


def _escaped(start: re.Match[str]) -> str:
    """Return a mark of a heading or a list with a backslash, so that it stays text: `\\#`, `1\\.`."""
    mark = start[2]
    return f"{start[1]}{mark[:-1]}\\{mark[-1]}"


class _Writer(HTMLParser):
    """Writes blocks as lines. With `marks` they are Markdown, else plain text."""

    def __init__(self, *, marks: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._marks = marks
        self._inline: list[str] = []
        self._prefix: list[str] = []
        # The marks of open lists: the number of the next item, or None for a list with bullets.
        self._lists: list[int | None] = []
        self._first = ""
        self._heading = ""
        self._cells: list[str] | None = None
        self._links: list[str] = []
        self._in_pre = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS or tag in {"li", "tr"}:
            self.end_block()
        if tag in {"ul", "ol"}:
            start = dict(attrs).get("start") or "1"
            self._lists.append(int(start) if tag == "ol" and start.isdigit() else 1 if tag == "ol" else None)
        elif tag == "li":
            self._first = self._item_mark()
        elif tag == "blockquote":
            self._prefix.append("> " if self._marks else "")
        elif tag == "tr":
            self._cells = []
        elif tag == "pre":
            self._in_pre = True
        elif tag == "hr":
            self.lines += ["---" if self._marks else "", ""]
        elif tag == "br":
            self._inline.append("\\\n" if self._marks else "\n")
        elif tag[0] == "h" and tag[1:].isdigit() and self._marks:
            self._heading = "#" * int(tag[1:]) + " "
        elif self._marks:
            self._inline.append({"strong": "**", "b": "**", "em": "*", "i": "*", "code": "`"}.get(tag, ""))
        if tag == "a":
            self._links.append(dict(attrs).get("href") or "")
            self._inline.append("[" if self._marks and self._links[-1] else "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._links:
            address = self._links.pop()
            if self._marks and address:
                self._inline.append(f"](<{address.replace('<', '%3C').replace('>', '%3E')}>)")
        elif tag in {"td", "th"} and self._cells is not None:
            self._cells.append(" ".join("".join(self._inline).split()))
            self._inline.clear()
        elif tag == "tr":
            self._end_row()
        elif self._marks and tag in {"strong", "b", "em", "i", "code"}:
            self._inline.append({"strong": "**", "b": "**", "em": "*", "i": "*", "code": "`"}[tag])
        if tag in _BLOCKS or tag == "li":
            self.end_block()
        if tag in {"ul", "ol"} and self._lists:
            self._lists.pop()
            self._break(tight=bool(self._lists))
        elif tag == "blockquote" and self._prefix:
            self._prefix.pop()
            self._break()
        elif tag == "table":
            self._break()
        elif tag == "pre":
            self._in_pre = False

    def handle_data(self, data: str) -> None:
        if self._in_pre:
            self._inline.append(data)
        elif self._marks:
            self._inline.append(_SPECIAL.sub(r"\\\1", re.sub(r"\s+", " ", data)))
        else:
            self._inline.append(re.sub(r"\s+", " ", data))

    def end_block(self) -> None:
        """Write what was read since the last block."""
        text = "".join(self._inline)
        self._inline.clear()
        if not text.strip():
            return
        if self._in_pre:
            lines = ["```", *text.strip("\n").split("\n"), "```"] if self._marks else text.split("\n")
        else:
            text = text.strip()
            if self._marks:
                text = self._heading + _LINE_START.sub(_escaped, text)
            lines = [line.strip() for line in text.split("\n")]
        indent = "".join(self._prefix) + " " * (len(self._first) or 2 * len(self._lists))
        first = "".join(self._prefix) + self._first if self._first else indent
        self.lines += [(first if at == 0 else indent) + line for at, line in enumerate(lines)]
        self._first = self._heading = ""
        self._break(tight=bool(self._lists))

    def _break(self, *, tight: bool = False) -> None:
        """End a paragraph with an empty line; not inside a list."""
        if not tight:
            self.lines.append("".join(self._prefix).rstrip())

    def _item_mark(self) -> str:
        if not self._lists:
            return ""
        depth, number = "  " * (len(self._lists) - 1), self._lists[-1]
        if number is None:
            return f"{depth}- "
        self._lists[-1] = number + 1
        return f"{depth}{number}. "

    def _end_row(self) -> None:
        cells, self._cells = self._cells or [], None
        if not cells:
            return
        if not self._marks:
            self.lines.append(" | ".join(cells))
            return
        is_first = not self.lines or not self.lines[-1].startswith("|")
        self.lines.append(f"| {' | '.join(cells)} |")
        if is_first:
            self.lines.append(f"|{' --- |' * len(cells)}")
