"""Clean scraped text: remove entities, tags, invisible characters and table bars from its lines. Pure.

Headings, quotations and links are kept beside the text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

# Zero-width space, word joiner, byte order mark, soft hyphen, marks of writing direction, and the private
# characters of icon fonts. Two of these are bullets in PDF files.
_INVISIBLE: dict[int, str | None] = dict.fromkeys(
    [0xFEFF, 0x00AD, 0x200B, 0x200E, 0x200F, 0x2060, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)
_INVISIBLE |= dict.fromkeys(range(0xE000, 0xF900)) | dict.fromkeys([0xF0A7, 0xF0B7], "•")
_CONTROLS = dict.fromkeys([*range(9), *range(14, 32), *range(127, 133), *range(134, 160)])
_BREAKS = {0x0B: "\n", 0x0C: "\n", 0x0D: "\n", 0x85: "\n", 0x2028: "\n", 0x2029: "\n"}
_SPACES = dict.fromkeys([0x09, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
_CHANGED: dict[int, str | None] = {**_INVISIBLE, **_CONTROLS, **_BREAKS}
# Most texts have few of these characters. Looking for them is faster than translating each character.
_CLEAN = re.compile("[" + "".join(map(re.escape, map(chr, _CHANGED))) + "]")
_SPACING = re.compile("[" + "".join(map(re.escape, map(chr, _SPACES))) + "]")

# Persian, the scripts of India and emoji need these two joiners. After other characters they are noise.
_JOINERS = re.compile(
    "(?<![\u0600-\u06ff\u0900-\u0dff\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]"
)
_BLOCK_TAGS = frozenset(
    {"p", "div", "br", "hr", "li", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "table", "section"}
    | {"td", "th", "blockquote"}
    | {"article", "header", "footer", "nav", "title", "main", "body", "head", "html"}
)
_OPENED = {
    "li": "\n- ",
    "td": "",
    "th": "",
    "blockquote": "\n> ",
    **dict.fromkeys(("h2", "h3", "h4", "h5", "h6"), "\n## "),
}
_INLINE_TAGS = frozenset(
    {"a", "b", "i", "u", "em", "strong", "span", "font", "small", "sup", "sub", "img", "tbody"}
    | {"thead", "figure", "figcaption", "time", "meta", "link", "center", "cite", "abbr"}
    | {"label", "button", "svg", "path", "input", "form", "iframe", "picture", "source", "o:p"}
)
# Matches any tag. With 60 names as alternatives, a million "<" would take seconds.
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z1-6:]{0,9})(?:\s[^<>]*)?/?>")
_ENTITY = re.compile(r"&(?:#\d{1,6}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,10});", re.IGNORECASE)
_LINK = re.compile(r"!?\[([^\[\]\n]{0,200})\]\(([^()\s]{1,400})\)")
_ESCAPED = re.compile(r"\\(?=[\-.#*+_()\[\]!])")
_ANCHOR = re.compile(
    r"<a\s(?:[^<>]{0,400}\s)?href\s?=\s?[\"']?(https?://[^\"'<>\s]{1,600})[^<>]{0,400}>([^<>]{1,300})</a>",
    re.IGNORECASE,
)
_BOLD = re.compile(r"(\*\*|__)(?=\S)([^*_\n]{1,300})(?<=\S)\1")
_GLUED_DATE = re.compile(r"((?<!\d)\d{1,2}\.\d{1,2}\.\d{4})(?=[^\W\d_])")
_HEADING = re.compile(r"#{1,6} +(?=[^\s#]|#\w)")
_QUOTE = re.compile(r"(?:> ?)+(?=\S)")
_BARS = "|¦│┃║ "
_BAR_SET = frozenset(_BARS.strip())
_TABLE_EDGE = re.compile(r"[\s|:+=\-–—_]+")
_HIDDEN = ("script", "style")
# The characters of a Japanese label may be set apart. A wide gap stands for the colon: "会 社 名    北浜町".
_WIDE_LABEL = re.compile(r"\s*((?:[\u3041-\u9fff] {0,9}){1,6}?) {3,}(?=\S)")
_APART = re.compile(r"(?:[\u3041-\u9fff]\s+){1,8}[\u3041-\u9fff]")
# A text that lost its line breaks has wide gaps instead. No row of a table is so long.
_LONGEST_ROW = 500
_LOST_BREAK = re.compile(r" {5,}")


@dataclass(frozen=True, slots=True)
class RawLine:
    """One line of a release. `gap`: a blank line is before it, or it is the first line.

    `mark` is # for a heading of the first level, ## for others, and > for a quotation.
    """

    text: str
    gap: bool = False
    indent: int = 0
    mark: str = ""


@dataclass(frozen=True)
class Cleaned:
    """The lines of a text, and its links by their words. `more`: there were more lines than asked for."""

    lines: list[RawLine]
    links: dict[str, str] = field(default_factory=dict)
    more: bool = False


def clean(text: str, most: int | None = None) -> Cleaned:
    """Return at most `most` lines of `text` that are not empty, with single spaces and without markup."""
    links: dict[str, str] = {}
    lines: list[RawLine] = []
    gap = True
    for spaced in _with_breaks(_SPACING.sub(" ", _plain(text, links)).split("\n")):
        bare = spaced.strip()
        mark = _mark(bare)
        if "." in bare[:20]:
            bare = _GLUED_DATE.sub(r"\1 ", bare, count=1)
        shown = " ".join(strip_bars(_without(mark, bare)).split()) if bare else ""
        if not shown:
            gap = True
            continue
        if len(lines) == most:
            return Cleaned(lines, links, more=True)
        lines.append(RawLine(shown, gap, len(spaced) - len(spaced.lstrip()), mark))
        gap = False
    return Cleaned(lines, links)


def _mark(bare: str) -> str:
    if not bare.startswith(("#", ">")):
        return ""
    heading = _HEADING.match(bare)
    if heading is not None:
        return "#" if len(heading[0].strip()) == 1 else "##"
    return ">" if _QUOTE.match(bare) else ""


def _with_breaks(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield from _LOST_BREAK.split(line) if len(line) > _LONGEST_ROW else (line,)


def _without(mark: str, bare: str) -> str:
    """Return a line without its mark, and with a colon or no space where characters are set apart."""
    if mark:
        bare = (_HEADING if mark[0] == "#" else _QUOTE).sub("", bare, count=1)
    if bare < "\u3041" or len(bare) > 200:
        return bare  # no Japanese character is first
    if _APART.fullmatch(bare):
        return "".join(bare.split())
    label = _WIDE_LABEL.match(bare)
    return bare if label is None else f"{''.join(label[1].split())}：{bare[label.end() :]}"


# No character has such a number, and Python refuses to parse a number with thousands of digits.
_ENDLESS_NUMBER = re.compile(r"&#[0-9]{8,};?")


def _changed(found: re.Match[str]) -> str:
    return _CHANGED[ord(found[0])] or ""


def _plain(text: str, links: dict[str, str]) -> str:
    text = _CLEAN.sub(_changed, text.replace("\r\n", "\n"))
    if "<" in text:
        text = _strip_tags(text, links)
    for _ in range(2):  # a page that was escaped twice has &amp;nbsp;
        if "&" in text and _ENTITY.search(text):
            text = _ENDLESS_NUMBER.sub("\ufffd", text)
            # One by one: html.unescape would also change "&region=" in an address, which has no semicolon.
            text = _CLEAN.sub(_changed, _ENTITY.sub(lambda found: html.unescape(found[0]), text))
    text = _JOINERS.sub("", text)
    if "](" in text:
        links.update({hit[1]: hit[2] for hit in _LINK.finditer(text) if hit[2].startswith("http")})
        text = _LINK.sub(r"\1", text)
    if "**" in text or "__" in text:
        text = _BOLD.sub(r"\2", text).replace("****", "")
    if "\\" in text:
        text = _ESCAPED.sub("", text)
    # A lone surrogate cannot be encoded in UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")


def _strip_tags(text: str, links: dict[str, str]) -> str:
    for tag in _HIDDEN:
        text = _cut_between(text, f"<{tag}", f"</{tag}>")
    text = _cut_between(text, "<!--", "-->")
    if "href" in text:
        links.update({" ".join(hit[2].split()): html.unescape(hit[1]) for hit in _ANCHOR.finditer(text)})
    text = _TAG.sub(_break, text)
    return _TAG.sub(lambda tag: "" if tag[1].lower() in _INLINE_TAGS else tag[0], text)


def _break(tag: re.Match[str]) -> str:
    """Return the replacement for a tag: a break for a block. Other tags stay for the next step."""
    name = tag[1].lower()
    if name not in _BLOCK_TAGS:
        return "" if name == "a" else tag[0]
    if tag[0].startswith("</"):
        return " | " if name in ("td", "th") else "\n"
    return _OPENED.get(name, "\n")


def _cut_between(text: str, opening: str, closing: str) -> str:
    """Return `text` without the parts from `opening` to `closing`. Unlike a lazy pattern, this is linear."""
    kept: list[str] = []
    low = text.lower() if len(text.lower()) == len(text) else text
    at = 0
    while (start := low.find(opening, at)) >= 0 and (end := low.find(closing, start)) >= 0:
        kept.append(text[at:start])
        at = end + len(closing)
    kept.append(text[at:])
    return "".join(kept)


def strip_bars(text: str) -> str:
    """Return the cells of a table row, or "" if it has only bars and rules. Return other text unchanged."""
    if _BAR_SET.isdisjoint(text):
        return text
    if _TABLE_EDGE.fullmatch(text):
        return ""
    cells = [cell.strip() for cell in text.strip(_BARS).split("|")]
    return " | ".join(cell for cell in cells if cell and not _TABLE_EDGE.fullmatch(cell))
