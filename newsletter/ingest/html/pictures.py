"""Which pictures of a page or a feed can be the lead image of a release. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import unescape
from urllib.parse import urlsplit

from newsletter.ingest.html.to_text import one_line
from newsletter.mail.clean_html import absolute

LONGEST_URL = 2_000
LONGEST_ALT = 500
# Pictures of every page: logos, icons, and pixels that count visitors.
_NO_LEAD = re.compile(r"logo|icon|sprite|avatar|pixel|spacer|blank|placeholder|\.svg(?:$|\?)", re.IGNORECASE)
_LEAST_PIXELS = 100
# A feed's text is read here without a parser, because each poll reads many. So only its beginning is
# searched.
_SEARCHED = 20_000
_IMG = re.compile(r"<img\b([^<>]{1,4000})>", re.IGNORECASE)
# A name begins only after another character, so that a long word is read once.
_ATTRIBUTE = re.compile(r"(?<![a-z-])([a-z-]++)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)


def file_of(url: str) -> str:
    """Return the last part of the path of a URL, in lower case."""
    return urlsplit(url).path.rpartition("/")[2].lower()


def is_lead(url: str) -> bool:
    """Return whether the name of a picture's file says nothing against it."""
    return bool(url) and len(url) <= LONGEST_URL and not _NO_LEAD.search(file_of(url))


def is_small(size: str) -> bool:
    """Return whether a width or a height is that of a decoration."""
    digits = re.match(r"\s*(\d{1,5})", size)
    return digits is not None and int(digits[1]) < _LEAST_PIXELS


def picture_of(attributes: dict[str, str], base: str) -> tuple[str, str] | None:
    """Return the address and the alternative text of an `img` element, None if it is no lead image."""
    place = attributes.get("src") or attributes.get("data-src") or ""
    url = absolute(place, base) if place.strip() and not place.startswith("data:") else None
    if not url or not is_lead(url):
        return None
    if any(is_small(attributes.get(name) or "") for name in ("width", "height")):
        return None
    return url, one_line(attributes.get("alt") or "")[:LONGEST_ALT]


def first_picture(html: str, named: Iterable[str], base: str) -> tuple[str, str]:
    """Return the lead image of a feed's item: the first one in its text, else one that the feed names.

    The pictures in the text come first, because only they have an alternative text.
    """
    for found in _IMG.finditer(html[:_SEARCHED]):
        attributes = {
            name.lower(): unescape(quoted or single or bare)
            for name, quoted, single, bare in _ATTRIBUTE.findall(found[1])
        }
        picture = picture_of(attributes, base)
        if picture is not None:
            return picture
    places = (absolute(each, base) for each in named if each.strip() and not each.startswith("data:"))
    return next((each for each in places if each and is_lead(each)), ""), ""
