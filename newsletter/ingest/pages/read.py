"""Read a release from its web page: text, title, publisher, date, language, address and lead image. Pure.

Run it on pages from outside by `isolated_reader`, which bounds its time and memory.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import date
from urllib.parse import urlsplit

from lxml import etree

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.feeds.feed import Item
from newsletter.ingest.feeds.make_item import make_item
from newsletter.ingest.pages.blocks import Block, blocks_of, compact, even_out
from newsletter.ingest.pages.dates import choose, declared_date, seen_days, time_elements
from newsletter.ingest.pages.declared import Declared, base_of, read_declared
from newsletter.ingest.pages.furniture import remove_furniture
from newsletter.ingest.pages.lead_image import lead_image
from newsletter.ingest.pages.main_text import choose_blocks, container, mark_found
from newsletter.ingest.pages.names import choose_publisher, choose_title, dated_pieces, shown_names
from newsletter.ingest.pages.tree import Element, parse_tree, remove
from newsletter.ingest.press.lines.labels import BARE, weigh

MOST_BLOCKS = 5_000
# Lines next to the beginning of the text in which a date may stand.
_NEAR = 12
_NEAR_TITLE = 6


def read_page(data: bytes, content_type: str, url: str, today: date | None = None) -> Item:
    """Return the release on a page that came from `url`, which may be the name of a file.

    `today` gives a missing year to a date. Raises ReleaseUnreadable, with words for people.
    """
    root = parse_tree(data, content_type, url)
    body = root.find("body")
    if body is None:
        raise ReleaseUnreadable(url, "it is a page without content")
    base = base_of(root, url if urlsplit(url).scheme in {"http", "https"} else "")
    declared = read_declared(root, base)
    title = choose_title(root, declared)
    shown = shown_names(body, base or declared.canonical_url)
    image = lead_image(body, declared, base)
    whole = copy.deepcopy(root)
    times = time_elements(body)
    remove_furniture(body)
    even_out(body)
    blocks = blocks_of(body)
    if len(blocks) > MOST_BLOCKS:
        raise ReleaseUnreadable(
            url, f"the page has more than {MOST_BLOCKS:,} paragraphs, headings and table rows"
        )
    mark_found(whole, blocks)
    holder = container(body, blocks)
    inside = _inside(blocks, holder)
    kept, press = choose_blocks(blocks, inside, title, url, today)
    if not kept:
        raise ReleaseUnreadable(
            url, "the page has no text of a release; it may need JavaScript, or list others"
        )
    dated = choose(
        declared_date((*declared.dates, *dated_pieces(declared.titles))),
        times,
        seen_days(_around(blocks, kept, title), today),
        press.published if press else None,
    )
    made = make_item(
        guid="",
        url=_address(declared, url),
        title=title or (press.title if press else ""),
        publisher=choose_publisher(
            declared, shown, title, press.publisher if press else "", _above(blocks, kept, title)
        ),
        dated=dated,
        language=declared.language,
        html=_html(body, blocks, kept),
        base=base or "",
    )
    if made is None or not made.paragraphs:
        raise ReleaseUnreadable(
            url, "the page has no text of a release; it may need JavaScript, or list others"
        )
    return made.pictured(*image)


def _inside(blocks: Sequence[Block], holder: Element) -> list[Block]:
    return [each for each in blocks if each.element is holder or holder in each.element.iterancestors()]


def _around(blocks: Sequence[Block], kept: Sequence[Block], title: str) -> list[str]:
    """Return the lines above the text and between its first paragraphs, those next to it first.

    Below the text, a label such as "Last updated" tells that a date is that of the release.
    """
    at = next(index for index, each in enumerate(blocks) if each is kept[0])
    stay, plain = {id(each) for each in kept}, compact(title).casefold()
    end = next(index for index, each in enumerate(blocks) if each is kept[-1])
    labelled = (each for each in blocks[end + 1 : end + _NEAR] if weigh(each.text) != BARE)
    near = [*blocks[max(0, at - _NEAR) : at][::-1], *blocks[at : at + _NEAR], *labelled]
    return [each.text for each in near if id(each) not in stay and compact(each.text).casefold() != plain]


def _above(blocks: Sequence[Block], kept: Sequence[Block], title: str) -> list[str]:
    """Return the lines above the text that are near to it, without the title."""
    at = next(index for index, each in enumerate(blocks) if each is kept[0])
    plain = compact(title).casefold()
    near = blocks[max(0, at - _NEAR_TITLE) : at]
    return [each.text for each in near if compact(each.text).casefold() != plain and each.link_share < 0.5]


def _html(body: Element, blocks: Sequence[Block], kept: Sequence[Block]) -> str:
    """Return the HTML of the part of the page that holds the text, without its other blocks."""
    stay = {id(each) for each in kept}
    above = [set(each.element.iterancestors()) for each in kept]
    common = set.intersection(*above) if len(kept) > 1 else {kept[0].element, *above[0]}
    holder = next(
        each for each in (kept[0].element, *kept[0].element.iterancestors(), body) if each in common
    )
    for each in blocks:
        if id(each) not in stay:
            remove(each.element)
    return str(etree.tostring(holder, encoding="unicode", method="html", with_tail=False))


def _address(declared: Declared, url: str) -> str:
    """Return the address of the release. A page cannot declare that of another host as its own."""
    canonical = declared.canonical_url
    mine, theirs = urlsplit(url), urlsplit(canonical)
    if mine.scheme not in {"http", "https"}:
        return canonical
    same = (mine.hostname or "").removeprefix("www.") == (theirs.hostname or "").removeprefix("www.")
    # Some systems declare their start page as the address of every page.
    is_start = not theirs.path.strip("/") and not theirs.query and bool(mine.path.strip("/") or mine.query)
    return canonical if canonical and same and not is_start else url
