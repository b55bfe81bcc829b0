"""Bring the body of a page into one form, blocks that hold only text, and list these blocks. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import html as lxml_html

from newsletter.ingest.pages.tree import Element, tag_of, text_of

_INLINE = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "br", "cite", "code", "data", "del", "dfn", "em",
    "font",
    "i", "ins", "kbd", "label", "mark", "nobr", "q", "rp", "rt", "ruby", "s", "samp", "small", "span",
    "strike",
    "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
})  # fmt: skip
# What holds no loose text, or keeps it as it is. Everything else may hold blocks and loose text.
_NO_HOLDERS = frozenset({
    "table", "tbody", "thead", "tfoot", "tr", "colgroup", "col", "ul", "ol", "dl", "pre", "hr", "h1", "h2",
    "h3",
    "h4", "h5", "h6", "dt", "caption", "legend", "summary",
})  # fmt: skip
_LEAVES = frozenset({
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "pre", "tr", "dt", "dd", "caption", "figcaption",
    "blockquote", "address", "summary", "legend",
})  # fmt: skip
_BLOCKS_INSIDE = frozenset(
    {"p", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "div", "dl", "blockquote"}
)
# White space, and what the parser of plain text takes out too: invisible characters and those of icon fonts.
_SPACE = re.compile(r"[\s\xad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ue000-\uf8ff\ufeff]+")

_HAN_OR_KANA = re.compile(r"[\u3041-\u30ff\u3400-\u9fff]")


@dataclass
class Block:
    """A part of a page that holds only text: a paragraph, a heading, a list item or a row of a table."""

    element: Element
    text: str
    link_share: float
    is_found: bool = False

    @property
    def length(self) -> int:
        """The number of characters. One of Han or kana counts twice, as it tells as much as two others."""
        return (
            len(self.text) if self.text.isascii() else len(self.text) + len(_HAN_OR_KANA.findall(self.text))
        )

    @property
    def is_heading(self) -> bool:
        return len(tag_of(self.element)) == 2 and tag_of(self.element)[0] == "h"


def compact(text: str) -> str:
    """Return text without white space and invisible characters, to compare it."""
    return _SPACE.sub("", text)


def even_out(body: Element) -> None:
    """Wrap loose text in paragraphs, split paragraphs at empty lines, and undo tables that only lay out."""
    for table in list(body.iter("table")):
        if _only_lays_out(table):
            parts = table.iter("tbody", "thead", "tfoot", "tr", "td", "th", "caption")
            for each in [table, *(part for part in parts if _table_of(part) is table)]:
                each.tag = "div"
    for element in list(body.iter()):
        if tag_of(element) and tag_of(element) not in _INLINE | _NO_HOLDERS:
            _wrap(element)


def blocks_of(body: Element) -> list[Block]:
    """Return the blocks of text below an element, in their order."""
    found: list[Block] = []
    waiting = [body]
    while waiting:
        element = waiting.pop()
        tag = tag_of(element)
        if not tag:
            continue
        if tag in _LEAVES and not (
            tag not in {"tr"} and any(tag_of(each) in _BLOCKS_INSIDE for each in element)
        ):
            text = text_of(element)
            if text:
                linked = sum(len(text_of(each)) for each in element.iter("a"))
                found.append(Block(element, text, linked / max(1, len(text))))
            continue
        waiting.extend(reversed(element))
    return found


def _wrap(holder: Element) -> None:
    """Put runs of loose text into paragraphs if the element also holds blocks or empty lines."""
    children = list(holder)
    has_blocks = any(tag_of(each) not in _INLINE and tag_of(each) for each in children)
    is_plain = tag_of(holder) in {"p", "li", "dd", "td", "th", "blockquote", "figcaption", "address"}
    if is_plain and not has_blocks and not _has_empty_line(children):
        return
    if tag_of(holder) == "p":
        holder.tag = "div"
    runs: list[Element] = []
    current = lxml_html.Element("p")
    current.text, holder.text = holder.text, None
    breaks = 0
    for child in children:
        tail, child.tail = child.tail, None
        if tag_of(child) == "br":
            breaks += 1
            is_last = not (tail or "").strip()
            if breaks >= 2:
                if len(current) and tag_of(current[-1]) == "br":
                    current.remove(current[-1])
                runs.append(current)
                current, breaks = lxml_html.Element("p"), 0 if not is_last else 1
                current.text = tail
            else:
                child.tail = tail
                current.append(child)
                breaks = 1 if is_last else 0
                continue
            continue
        if tag_of(child) in _INLINE:
            breaks = 0
            child.tail = tail
            current.append(child)
            continue
        breaks = 0
        runs += [current, child]
        current = lxml_html.Element("p")
        current.text = tail
    runs.append(current)
    # What stood inside stays, and made paragraphs are left out if they are empty.
    stood = set(children)
    holder[:] = [each for each in runs if each in stood or text_of(each)]


def _has_empty_line(children: list[Element]) -> bool:
    breaks = [tag_of(each) == "br" for each in children]
    return any(
        one and other and not (child.tail or "").strip()
        for one, other, child in zip(breaks, breaks[1:], children, strict=False)
    )


def _only_lays_out(table: Element) -> bool:
    if (table.get("role") or "").lower() in {"presentation", "none"}:
        return True
    rows = [each for each in table.iter("tr") if _table_of(each) is table]
    if not rows or max(len(row) for row in rows) < 2:
        return True
    inner = (
        next(table.iter("h1", "h2", "form"), None) is not None
        or next(table.iterfind(".//table"), None) is not None
    )
    long = any(len(text_of(cell)) > 600 for cell in table.iter("td"))
    return inner or long


def _table_of(element: Element) -> Element | None:
    if element.tag == "table":
        return element
    return next(element.iterancestors("table"), None)
