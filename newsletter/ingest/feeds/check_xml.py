"""Refuse dangerous XML before a parser builds anything from it. Pure.

feedparser falls back to a tolerant parser for XML that is not well-formed. So entities and items are looked
for in the text itself.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from newsletter.errors import FeedUnreadable

MOST_ITEMS = 2_000
DEEPEST = 100
MOST_ELEMENTS = 200_000

_DOCTYPE = re.compile(rb"<!DOCTYPE([^>\[]*)(\[?)", re.IGNORECASE)
_ENTITY = re.compile(rb"<!ENTITY", re.IGNORECASE)
_ITEM = re.compile(rb"<(?:[\w.-]{1,40}:)?(?:item|entry)(?=[\s/>])", re.IGNORECASE)


def check_xml(data: bytes) -> None:
    """Raise FeedUnreadable for XML with entities of its own, too many items, or elements nested too deeply.

    `data` is in UTF-8. A DOCTYPE that only names its kind is allowed: nothing is ever loaded for it.
    """
    if _ENTITY.search(data) or any(hit[2] for hit in _DOCTYPE.finditer(data)):
        raise FeedUnreadable("The feed defines entities of its own (a DTD). Such a feed is not read.")
    for at, _ in enumerate(_ITEM.finditer(data)):
        if at >= MOST_ITEMS:
            raise FeedUnreadable(f"The feed has more than {MOST_ITEMS:,} items.")
    _check_shape(data)


def _check_shape(data: bytes) -> None:
    """Walk through the elements without keeping them."""
    parser = expat.ParserCreate()
    depth = total = 0

    def start(_name: str, _attributes: object) -> None:
        nonlocal depth, total
        depth += 1
        total += 1
        if depth > DEEPEST:
            raise FeedUnreadable(f"The feed nests its elements more than {DEEPEST} deep.")
        if total > MOST_ELEMENTS:
            raise FeedUnreadable(f"The feed has more than {MOST_ELEMENTS:,} elements.")

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_: object) -> None:
        raise FeedUnreadable("The feed defines entities of its own (a DTD). Such a feed is not read.")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        # Not well-formed. The tolerant parser may still find items, in a process with limits.
        return
