"""Find the lead image of a release: its address and what it shows. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from newsletter.ingest.html.to_text import one_line
from newsletter.ingest.pages.declared import Declared
from newsletter.ingest.pages.tree import Element
from newsletter.mail.clean_html import absolute

# Pictures of every page: logos, icons, and pixels that count visitors.
_NO_LEAD = re.compile(r"logo|icon|sprite|avatar|pixel|spacer|blank|placeholder|\.svg(?:$|\?)", re.IGNORECASE)
_LEAST_PIXELS = 100
_LONGEST = 2_000


def lead_image(body: Element, declared: Declared, base: str) -> tuple[str, str]:
    """Return the address and the alternative text of the lead image, each "" if there is none.

    The picture that the page declares counts, else the first large one in an article. Its alternative text is
    that of the same picture on the page.
    """
    pictures = [_picture(each, base) for each in body.iter("img")]
    shown = [each for each in pictures if each is not None]
    if (
        declared.image_url
        and len(declared.image_url) <= _LONGEST
        and not _NO_LEAD.search(_file(declared.image_url))
    ):
        alt = declared.image_alt or next(
            (alt for url, alt in shown if _file(url) == _file(declared.image_url)), ""
        )
        return declared.image_url, alt[:500]
    scope = next(iter([*body.iter("article"), *body.iter("main")]), None)
    inside = [_picture(each, base) for each in scope.iter("img")] if scope is not None else []
    return next((each for each in inside if each is not None), ("", ""))


def _picture(element: Element, base: str) -> tuple[str, str] | None:
    place = element.get("src") or element.get("data-src") or ""
    url = absolute(place, base) if place.strip() and not place.startswith("data:") else None
    if not url or len(url) > _LONGEST or _NO_LEAD.search(_file(url)):
        return None
    if any(_is_small(element.get(name) or "") for name in ("width", "height")):
        return None
    return url, one_line(element.get("alt") or "")[:500]


def _is_small(size: str) -> bool:
    digits = re.match(r"\s*(\d{1,5})", size)
    return digits is not None and int(digits[1]) < _LEAST_PIXELS


def _file(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2].lower()
