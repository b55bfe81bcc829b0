"""Make paragraphs of the lines below the head, and drop page furniture around and between them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from newsletter.ingest.press.clean import Line
from newsletter.ingest.press.dates.find import FoundDate
from newsletter.ingest.press.lines.contacts import contact_lines
from newsletter.ingest.press.lines.furniture import kind_of
from newsletter.ingest.press.lines.furniture_patterns import Kind
from newsletter.ingest.press.lines.labels import date_line
from newsletter.ingest.press.lines.shape import ends_sentence, even_bullet, is_bullet, is_sentence, size

_SOURCE = re.compile(r"SOURCE:? \S.{1,100}\Z")  # how wire services name the company at the end of its release
_MARK_BEHIND = re.compile(
    r"(?<=[.!?\"”’)])\s+(?P<mark>Enditem|Endit|ENDS|\(END\)|-END-|-30-|-ENDS-|###|\(E\))\Z"
)
_GOES = (Kind.FURNITURE, Kind.REACH)


@dataclass
class Body:
    """The paragraphs of a release, and the dropped lines that may name its publisher or date."""

    paragraphs: list[str] = field(default_factory=list)
    footer: list[str] = field(default_factory=list)
    contacts: list[str] = field(default_factory=list)
    dates: list[tuple[int, FoundDate]] = field(default_factory=list)


def read_body(lines: Sequence[Line]) -> Body:
    """Return the body in `lines`, which are the lines below the head."""
    body = Body()
    lines = [each for line in lines for each in _cut_mark(line)]
    kinds = [kind_of(line.text) for line in lines]
    end = _end_mark(lines, kinds)
    body.footer = [line.text for line in lines[end:]]
    body.contacts = [lines[at].text for at in sorted(contact_lines(lines))]
    kept = _without_furniture(lines[:end], kinds[:end], body.footer)
    _trim_tail(kept, body)
    body.paragraphs = _paragraphs(kept)
    return body


def _cut_mark(line: Line) -> list[Line]:
    """Return `line`, or split it in two if an end mark follows its last sentence."""
    hit = _MARK_BEHIND.search(line.text[-20:])
    if not hit:
        return [line]
    return [replace(line, text=line.text[: -len(hit[0])].rstrip()), Line(hit["mark"])]


def _end_mark(lines: Sequence[Line], kinds: Sequence[Kind]) -> int:
    """Return the index of the end mark, or len(lines). Ignore a mark with more text below than above."""
    prose = [len(line.text) if is_sentence(line.text) else 0 for line in lines]
    total = sum(prose)
    above = 0
    for at, kind in enumerate(kinds):
        if kind is Kind.END and above > 0 and above * 2 >= total:
            return at
        above += prose[at]
    return len(lines)


def _without_furniture(lines: Sequence[Line], kinds: Sequence[Kind], footer: list[str]) -> list[Line]:
    """Return the lines of text, without furniture, lists of other pages, and contacts with their headings."""
    contacts = contact_lines(lines)
    last_prose = max((at for at, line in enumerate(lines) if _is_text(line, kinds[at])), default=-1)
    kept: list[Line] = []
    listing = False
    for at, (line, kind) in enumerate(zip(lines, kinds, strict=True)):
        if kind is Kind.RELATED and not ends_sentence(line.text):
            listing = True
        elif listing and _is_text(line, kind) and len(line.text) >= 120:
            listing = False
        gone = listing or kind in _GOES or at in contacts or kind is Kind.END
        # After the last sentence, the first furniture line ends the text, because titles of other pages
        # follow.
        if gone and at > last_prose >= 0 and kind is not Kind.END and not _is_picture(line.text):
            footer.extend(each.text for each in lines[at:])
            break
        if gone:
            footer.append(line.text)
        else:
            kept.append(line)
    return kept


def _is_picture(text: str) -> bool:
    return text.startswith(("(", "[")) or len(text) > 80


def _is_text(line: Line, kind: Kind) -> bool:
    return kind is Kind.TEXT and (is_sentence(line.text) or (is_bullet(line.text) and size(line.text) >= 4))


def _trim_tail(kept: list[Line], body: Body) -> None:
    """Remove lines at the end of `kept` that are no text: menu words, notices, a last date."""
    while kept:
        text = kept[-1].text
        dated = date_line(text)
        if dated is not None:
            body.dates.append(dated)
        elif kind_of(text) is Kind.TEXT and not _SOURCE.match(text):
            break
        body.footer.append(kept.pop().text)


def _paragraphs(lines: Sequence[Line]) -> list[str]:
    """Return `lines` as paragraphs. A list or table is one paragraph, with a line for each item or row."""
    made: list[str] = []
    before = None
    for line in lines:
        item = (
            "bullet"
            if is_bullet(line.text)
            else "row"
            if " | " in line.text and len(line.text) < 200
            else None
        )
        text = even_bullet(line.text)
        # Long numbered lines, which ministries write, are paragraphs. Short ones are list items.
        item = None if len(text) >= 120 and text[:1] not in "-" else item
        if item and item == before:
            made[-1] += "\n" + text
        elif not made or made[-1] != text:  # scraped pages repeat some lines
            made.append(text)
        before = item
    return made
