"""Find the text of a release in its page: trafilatura says where it is, and our rules where it ends. Pure.

trafilatura loses links, some lists and sometimes a first or a last paragraph. So only its choice is used: the
part of the page that has most of what it found is taken, with all that stands in it. The reader of plain text
(press/) then says where the text begins and ends.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterable, Sequence

import trafilatura
from lxml import etree

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.pages.blocks import Block, compact
from newsletter.ingest.pages.tree import Element, tag_of
from newsletter.ingest.press.parse import PressRelease, parse_press

# How much a block that trafilatura did not find counts against the part of the page that holds it.
_AGAINST = 0.5
_PROSE = 80
# With less than this, trafilatura has found only a part of the text, if anything.
_LEAST = 200
# Each one walks through the whole text.
_MOST_SEARCHES = 1_000
_MOST_LINKED = 0.6
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)


class Words:
    """Texts in which a block can be looked up: as one of them, or as a part of them all."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = {compact(each) for each in texts}
        self._all = compact("".join(texts))
        self._searches = 0

    def __bool__(self) -> bool:
        return bool(self._all)

    def has(self, text: str) -> bool:
        """Return whether the texts have this one. After many searches, only whole texts are found."""
        text = compact(text)
        if text in self._texts:
            return True
        self._searches += 1
        return self._searches <= _MOST_SEARCHES and text in self._all


def mark_found(root: Element, blocks: Sequence[Block]) -> None:
    """Mark the blocks that are part of the text as trafilatura finds it, or that look like prose.

    `root` is the whole page before anything was taken out. It is changed.
    """
    try:
        made = trafilatura.bare_extraction(
            root, include_comments=False, date_extraction_params={"none": True}
        )
    except (ValueError, TypeError, AttributeError, RecursionError, etree.LxmlError):
        made = None
    body = None if made is None or isinstance(made, dict) else made.body
    words = Words([] if body is None else ["".join(each.itertext()) for each in body])
    for block in blocks:
        block.is_found = len(block.text) > 3 and words.has(block.text)
    if sum(len(block.text) for block in blocks if block.is_found and not block.is_heading) < _LEAST:
        for block in blocks:
            block.is_found |= len(block.text) >= _PROSE and block.link_share < _MOST_LINKED


def container(body: Element, blocks: Sequence[Block]) -> Element:
    """Return the part of the page that has most of the found text, and little else."""
    score: dict[Element, float] = {}
    for block in blocks:
        size = len(block.text)
        # The title stands above the text, and often outside of it.
        worth = 0.0 if block.is_heading else size if block.is_found else -_AGAINST * size
        for each in (block.element, *block.element.iterancestors()):
            score[each] = score.get(each, 0.0) + worth
            if each is body:
                break
    best = body
    for element, worth in score.items():
        is_inside = worth == score[best] and best in element.iterancestors()
        if tag_of(element) in {"ul", "ol", "table", "tbody", "tr", "p", "li"}:
            continue
        if worth > score[best] or is_inside:
            best = element
    return best


def read_press(
    title: str, blocks: Sequence[Block], name: str, today: datetime.date | None
) -> PressRelease | None:
    """Return what the reader of plain text makes of the blocks, or None."""
    lines = [title, *(block.text for block in blocks if compact(block.text) != compact(title))]
    try:
        return parse_press("\n\n".join(lines), name, today)
    except ReleaseUnreadable:
        return None


def trim(blocks: Sequence[Block], press: PressRelease | None, title: str) -> list[Block]:
    """Return the blocks from the first to the last one that belong to the text."""
    kept = Words([line for each in press.paragraphs for line in each.split("\n")] if press else [])
    plain = compact(title).casefold()
    inside = [block for block in blocks if compact(block.text).casefold() != plain]
    marked = [_stays(block, kept) for block in inside]
    if not any(marked):
        marked = [block.is_found for block in inside]
    if not any(marked):
        return list(inside)
    first, last = marked.index(True), len(marked) - 1 - marked[::-1].index(True)
    return inside[first : last + 1]


def _stays(block: Block, kept: Words) -> bool:
    is_menu = block.link_share > 0.9 and len(block.text) < _PROSE and not block.is_found
    return not is_menu and (not kept or kept.has(block.text))
