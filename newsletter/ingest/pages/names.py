"""Decide the title and the publisher of a release from what its page declares and shows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from newsletter.ingest.pages.declared import Declared
from newsletter.ingest.pages.tree import Element, tag_of, text_of
from newsletter.ingest.press.lines.organisations import is_wire

_SITE_MARK = re.compile(r"\s+[|–—·•:»›-]\s+|\s*[|»｜]\s*")
_WORD = re.compile(r"\w+")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|[\w-]+(?:\.[\w-]+)*\.[a-z]{2,6}", re.IGNORECASE)
_NO_NAME = re.compile(
    r"(?:home|news|press|admin|editor|webmaster|untitled|none|website|author|staff|redaktion)\Z",
    re.IGNORECASE,
)
_LONGEST_NAME = 120


def choose_title(root: Element, declared: Declared) -> str:
    """Return the heading that the page also declares as its title,
    else the declared title without the site."""
    pieces = [
        piece for title in declared.titles for piece in (title, *_SITE_MARK.split(title)) if piece.strip()
    ]
    headings = [(tag_of(each), text_of(each)) for each in root.iter("h1", "h2", "h3", "h4")][:200]
    sites = {_even(site) for site in (*declared.sites, *declared.publishers)}
    usual = [(tag, text) for tag, text in headings if text and _even(text) not in sites and len(text) <= 400]
    for wanted in ("h1", "h2", "h3", "h4"):
        for tag, text in usual:
            if tag == wanted and _is_one_of(text, pieces, exact=wanted != "h1"):
                return text
    single = [text for tag, text in usual if tag == "h1"]
    if declared.titles:
        return _without_site(declared.titles, single, sites)
    return single[0] if single else ""


def choose_publisher(declared: Declared, title: str, press: str) -> str:
    """Return who published the release: its author if that is an organisation, else the site.

    A wire service distributes the releases of others. Then the text names the publisher (`press`).
    """
    named = [each for each in (*declared.publishers, *declared.sites) if _is_name(each)]
    own = [each for each in named if not is_wire(each)]
    if named and not own:
        return press or named[0]
    if own:
        return own[0]
    return press or _site_in_title(declared.titles, title) or next(iter(named), "")


def _without_site(titles: Sequence[str], headings: Sequence[str], sites: set[str]) -> str:
    title = titles[0]
    for heading in headings:
        if _shares(heading, title) >= 0.6:
            return heading
    parts = _SITE_MARK.split(title)
    if len(parts) == 1:
        return title
    left = [part for part in parts if _even(part) not in sites]
    longest = max(left or parts, key=len)
    return longest if len(longest) * 2 >= len(title) or len(left) < len(parts) else title


def _site_in_title(titles: Iterable[str], title: str) -> str:
    for each in titles:
        if _even(each).startswith(_even(title)) and len(each) > len(title):
            rest = _SITE_MARK.split(each[len(title) :])[-1].strip(" -|–—·:»")
            if _is_name(rest):
                return rest
    return ""


def _is_one_of(text: str, pieces: Sequence[str], *, exact: bool) -> bool:
    mine = _even(text)
    if len(mine) < 4:
        return False
    if any(mine == _even(each) for each in pieces):
        return True
    # A title that was shortened with an ellipsis, or a heading with a part of its own.
    return any(
        len(other) >= 15 and (mine.startswith(other) or (other.startswith(mine) and len(mine) >= 15))
        for other in (_even(each.rstrip(" .…")) for each in pieces)
    ) and (not exact or len(mine) >= 25)


def _is_name(text: str) -> bool:
    text = text.strip()
    return 1 < len(text) <= _LONGEST_NAME and not _ADDRESS.fullmatch(text) and not _NO_NAME.match(text)


def _even(text: str) -> str:
    return "".join(_WORD.findall(text.casefold()))


def _shares(one: str, other: str) -> float:
    mine, others = set(_WORD.findall(one.casefold())), set(_WORD.findall(other.casefold()))
    return len(mine & others) / max(1, min(len(mine), len(others)))
