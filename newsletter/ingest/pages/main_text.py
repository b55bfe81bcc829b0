"""Find the text of a release in its page: trafilatura says where it is, and our rules where it ends. Pure.

trafilatura loses links, some lists and sometimes a first or a last paragraph. So only its choice is used. The
part of the page that has most of what it found is taken whole. The parser of plain text (press/) then says
where the text begins and ends.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterable, Sequence

import trafilatura
from lxml import etree

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.pages.blocks import Block, compact
from newsletter.ingest.pages.furniture import has_word
from newsletter.ingest.pages.names import shares
from newsletter.ingest.pages.tree import Element, tag_of
from newsletter.ingest.press.dates.find import find_dates
from newsletter.ingest.press.parse import PressRelease, parse_press

# How much a block that trafilatura did not find counts against the part of the page that holds it.
_AGAINST = 0.5
_PROSE = 80
# With less than this, trafilatura has found only a part of the text, if anything.
_LEAST = 200
# Blocks between the title and the text, at most.
_FAR = 40
# The text ends at this many blocks in a row that are no text, if most of the text is above them.
_WIDE_GAP = 4
_MOST_OF_IT = 0.75
_SHORT = 60
# Words in the class of lines about the release, such as its author.
_ABOUT = frozenset({"author", "byline", "cat", "category", "categories", "date", "meta", "kicker", "topic"})
# Characters beside the date in a line such as "Berlin, 3 March 2026".
_WITH_DATE = 24
# At most this many searches, because each one walks through the whole text.
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

    def is_line(self, text: str) -> bool:
        return compact(text) in self._texts

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
        is_menu = block.link_share >= _MOST_LINKED
        block.is_found = not is_menu and block.length > 3 and words.has(block.text)
    if sum(block.length for block in blocks if block.is_found and not block.is_heading) < _LEAST:
        for block in blocks:
            block.is_found |= block.length >= _PROSE and block.link_share < _MOST_LINKED


def container(body: Element, blocks: Sequence[Block]) -> Element:
    """Return the part of the page that has most of the found text, and little else."""
    score: dict[Element, float] = {}
    for block in blocks:
        size = block.length
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
    """Return what the parser of plain text makes of the blocks, or None."""
    lines = [title, *(block.text for block in blocks if compact(block.text) != compact(title))]
    try:
        return parse_press("\n\n".join(lines), name, today)
    except ReleaseUnreadable:
        return None


def choose_blocks(
    blocks: Sequence[Block], inside: Sequence[Block], title: str, name: str, today: datetime.date | None
) -> tuple[list[Block], PressRelease | None]:
    """Return the blocks of the text, and what the parser of plain text makes of them.

    `blocks` are those of the whole page, `inside` those of the part that has most of the text.
    """
    candidates = _below_title(blocks, inside, title)
    press = read_press(title, candidates, name, today)
    return trim(candidates, press), press


def trim(blocks: Sequence[Block], press: PressRelease | None) -> list[Block]:
    """Return the blocks from the first to the last one that belong to the text."""
    kept = Words([line for each in press.paragraphs for line in each.split("\n")] if press else [])
    marked = [_stays(block, kept) for block in blocks]
    if not any(marked):
        marked = [block.is_found for block in blocks]
    if not any(marked):
        return list(blocks)
    first, last = marked.index(True), _last(blocks, marked)
    while first < last and (_is_cut_at_start(blocks[first]) or blocks[first].link_share >= _MOST_LINKED):
        first += 1
    while last > first and (_is_cut_at_end(blocks[last]) or _is_name_inside(blocks[last], kept)):
        last -= 1
    inner = zip(blocks[first : last + 1], marked[first : last + 1], strict=True)
    return [block for block, stays in inner if stays or not _is_cut_at_start(block)]


def _below_title(blocks: Sequence[Block], inside: Sequence[Block], title: str) -> list[Block]:
    """Return the blocks of the text without the title, and the prose between the title and the text.

    Many systems keep the first paragraph in a field of its own, above the text.
    """
    if not inside:
        return []
    plain = compact(title).casefold()
    is_title = {
        id(each) for each in blocks if each.is_heading and plain and plain in compact(each.text).casefold()
    }
    whole = _found_after(inside, -1)
    own = [
        at for at, each in enumerate(inside) if id(each) in is_title and _found_after(inside, at) * 2 >= whole
    ]
    text = list(inside[own[-1] + 1 :] if own else inside)
    start = next(at for at, each in enumerate(blocks) if each is text[0]) if text else 0
    above = list(blocks[max(0, start - _FAR) : start])
    titles = [at for at, each in enumerate(above) if id(each) in is_title]
    leads = above[titles[-1] + 1 :] if titles and not own else []
    prose = [
        each
        for each in leads
        if each.length >= _PROSE and each.link_share < _MOST_LINKED and not _is_about(each)
    ]
    kept = [each for each in text if compact(each.text).casefold() != plain]
    return [*prose, *_without_titles(kept, title)]


def _without_titles(blocks: list[Block], title: str) -> list[Block]:
    """Leave out headings before the first paragraph that are another wording of the title, or an h1."""
    first = next((at for at, each in enumerate(blocks) if each.length >= _PROSE), 0)
    return [
        each
        for at, each in enumerate(blocks)
        if not (
            at < first
            and each.is_heading
            and (tag_of(each.element) == "h1" or shares(each.text, title) >= 0.6)
        )
    ]


def _found_after(blocks: Sequence[Block], at: int) -> int:
    """Return how much prose stands behind a block. Short lines may be a menu."""
    return sum(each.length for each in blocks[at + 1 :] if each.is_found and each.length >= _PROSE)


def _last(blocks: Sequence[Block], marked: Sequence[bool]) -> int:
    """Return where the text ends: at its last marked block, or before a wide gap with little behind it."""
    last = len(marked) - 1 - marked[::-1].index(True)
    whole = sum(block.length for block, stays in zip(blocks, marked, strict=True) if stays)
    seen = gap = 0
    before = 0
    for at, (block, stays) in enumerate(zip(blocks, marked, strict=True)):
        # A heading that is a link begins a teaser of another page.
        is_teaser = block.is_heading and block.link_share > 0.9
        if (is_teaser or (stays and gap >= _WIDE_GAP)) and seen >= whole * _MOST_OF_IT:
            return before
        if not stays:
            gap += 1
            continue
        gap, before = 0, at
        seen += block.length
    return last


def _is_cut_at_start(block: Block) -> bool:
    """Return whether a block at the beginning is a date, or a short line that was not found."""
    if _is_date_line(block.text):
        return True
    if block.is_heading or tag_of(block.element) in {"li", "tr"} or block.length >= _SHORT:
        return False
    return not block.is_found or _is_about(block)


def _is_about(block: Block) -> bool:
    return has_word(block.element, _ABOUT) or has_word(block.element.getparent(), _ABOUT)


def _is_cut_at_end(block: Block) -> bool:
    """Return whether a block at the end is a heading, links, or a short line that was not found."""
    is_item = tag_of(block.element) in {"li", "tr"}
    is_short = not block.is_found and block.length < _SHORT and not is_item
    return block.is_heading or block.link_share >= _MOST_LINKED or is_short


def _is_name_inside(block: Block, kept: Words) -> bool:
    """Return whether a last short line is only a part of a line of the text, as the author's name is."""
    is_item = tag_of(block.element) in {"li", "tr"}
    return bool(kept) and block.length < _SHORT and not is_item and not kept.is_line(block.text)


def _is_date_line(text: str) -> bool:
    dates = find_dates(text)
    return bool(dates) and len(text) - sum(each.end - each.start for each in dates) <= _WITH_DATE


def _stays(block: Block, kept: Words) -> bool:
    is_menu = block.link_share > 0.9 and block.length < _PROSE and not block.is_found
    return not is_menu and (not kept or kept.has(block.text))
