"""Find the headline by the title of the page, which is the first line of many scraped texts. Pure.

Such a line has the headline and the name of the site: "Harbour opens third quay | News | Port of Halden". The
headline stands again above the text, often below a hundred lines of menus.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from newsletter.ingest.press.dates.find import find_dates
from newsletter.ingest.press.lines.furniture import Kind, kind_of
from newsletter.ingest.press.lines.line import NAME, Line
from newsletter.ingest.press.lines.organisations import is_wire, looks_like_name, organisation_score
from newsletter.ingest.press.lines.shape import size

# Dates and offices are within this many lines above the headline.
_ABOVE = 10
# A first line without a site is a headline if it stands again this far below, and the text is near to that.
_FAR = 15
_NEAR = 4
_TELLING = 6
_SHORTEST = 12
_LONGEST_SITE = 10
_SITE_WORDS = 3
_MARKS = "|｜»«›‹<>·•⋆:：–—-"
_MARK = re.compile(rf"\s*[|｜»«›‹<>·•⋆]\s*|\s+[:：–—-]{{1,2}}\s+|\A\s*[{_MARKS}]+\s*|\s*[{_MARKS}]+\s*\Z")
_OF_SITE = re.compile(r"の(?:プレスリリース|ニュース(?:リリース)?|お知らせ)\Z")


@dataclass(frozen=True)
class PageTitle:
    """The headline, and the name of the site beside it in the title of the page, or "".

    `at` is the index of the line right above the text with the headline.
    """

    headline: str
    site: str
    at: int


def find_page_title(lines: Sequence[Line]) -> PageTitle | None:
    """Return the headline that the first line names, or None if the first line is no title of a page."""
    if not lines or lines[0].prose:
        return None
    first = lines[0].text
    if lines[0].mark == "#" and lines[0].kind is Kind.TEXT and _is_headline(lines[0]):
        return PageTitle(first, "", 0)
    places: dict[str, list[int]] = {}
    for at, line in enumerate(lines[1:], 1):
        fits = _SHORTEST <= len(line.text) <= len(first) and _parts(first, line.text) is not None
        if fits and _is_headline(line):
            places.setdefault(line.text, []).append(at)
    if not places:
        return None
    # A copy of the whole line tells less than a headline that stands beside the name of the site.
    headline = max(places, key=lambda text: (text != first, len(text)))
    site = _site(_parts(first, headline) or ("", ""))
    above = _nearest_to_text(lines, places[headline])
    if above is None or (headline == first and not _tells_alone(lines, above)):
        return None
    return PageTitle(headline, site, above)


def join_headline(lines: Sequence[Line]) -> list[Line]:
    """Return `lines`, with the two lines of a headline joined if the title of the page begins with both."""
    first = lines[0].text if lines else ""
    joined: list[Line] = []
    for line in lines:
        above = joined[-1] if len(joined) > 1 else None
        both = f"{above.text} {line.text}" if above is not None else ""
        if (
            above is not None
            and len(line.text) >= _SHORTEST
            and first.startswith(both)
            and _is_headline(above)
        ):
            joined[-1] = replace(above, text=both, size=size(both))
        else:
            joined.append(line)
    return joined


def site_of(first: str) -> str:
    """Return the name of the site in the title of a page that does not name its headline: "News - Halden"."""
    parts = [name for part in _MARK.split(first) if (name := part.strip())]
    names = [each for each in parts if _may_be_site(each)]
    known = next((each for each in names if len(parts) > 1 and organisation_score(each) >= NAME), "")
    return known or (names[0] if len(names) == 1 < len(parts) and size(names[0]) <= _SITE_WORDS else "")


def _tells_alone(lines: Sequence[Line], again_at: int) -> bool:
    """Return whether a first line without a site is a headline: it stands again far below, near to text."""
    near = lines[again_at + 1 : again_at + 1 + _NEAR]
    begins = any(line.prose or (line.dates and line.size <= _TELLING) for line in near)
    return again_at >= _FAR and begins and not looks_like_name(lines[0].text)


def without_menus(lines: Sequence[Line], page: PageTitle) -> tuple[list[Line], int]:
    """Return the lines from a little above the headline on, and the index of the headline in them."""
    start = max(0, page.at - _ABOVE)
    return list(lines[start:]), page.at - start


def _is_headline(line: Line) -> bool:
    uncased = line.text.lower() == line.text.upper()
    name = line.score >= NAME and (uncased or looks_like_name(line.text))
    return line.kind is Kind.TEXT and not line.alone and line.size >= 3 and not name


def _parts(first: str, text: str) -> tuple[str, str] | None:
    """Return what stands before and behind `text` in `first`, or None if it is not set off by marks."""
    if first.startswith(text):
        before, behind = "", first[len(text) :].strip()
    elif first.endswith(text):
        before, behind = first[: -len(text)].strip(), ""
    else:
        return None
    set_off = (not before or before[-1] in _MARKS) and (not behind or behind[0] in _MARKS)
    return (before, behind) if set_off else None


def _site(parts: tuple[str, str]) -> str:
    """Return the name of the site. It stands first before the headline, and last behind it."""
    before, behind = ([name for part in _MARK.split(each) if (name := part.strip())] for each in parts)
    names = [_OF_SITE.sub("", each) for each in (*before, *reversed(behind)) if _may_be_site(each)]
    return next((each for each in names if organisation_score(each) >= NAME), next(iter(names), ""))


def _may_be_site(name: str) -> bool:
    if not any(map(str.isalpha, name)) or find_dates(name) or size(name) > _LONGEST_SITE or is_wire(name):
        return False
    return kind_of(name)[1] is Kind.TEXT


def _nearest_to_text(lines: Sequence[Line], places: Sequence[int]) -> int | None:
    """Return the last of `places` that has more than half of the text below it, or None if none has."""
    weights = [len(line.text) if line.prose and line.kind is Kind.TEXT else 0 for line in lines]
    whole = sum(weights[places[0] :])
    return next((at for at in reversed(places) if sum(weights[at:]) * 2 > whole > 0), None)
