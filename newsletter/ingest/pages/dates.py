"""Decide when a release was published: by what its page declares and by what people see on it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from newsletter.ingest.feeds.dates import Dated, read_date
from newsletter.ingest.pages.tree import Element, text_of
from newsletter.ingest.press.dates.find import find_dates, latest_year

_ZONE = re.compile(r"(?:Z|[+-]\d\d:?\d\d|\b(?:GMT|UTC|[ECMP][SD]T|CES?T))\s*\Z", re.IGNORECASE)
_EXACT = re.compile(r"\d{4}-\d\d-\d\d")
# A line with a date, such as "Published: 4 March 2025", has few other words.
_LONGEST_LINE = 120
_NEAR = timedelta(days=1)


def declared_date(texts: Iterable[str]) -> Dated | None:
    """Return the first date that can be read. A time without a zone gives a day only."""
    for text in texts:
        found = read_date(text)
        if found is None:
            hit = _EXACT.search(text)
            found = read_date(hit[0]) if hit else None
        if found is None and (dates := find_dates(text)) and dates[0].year and (day := dates[0].on(None)):
            found = Dated(day, None)
        if found is not None:
            return found if _ZONE.search(text.strip()) else Dated(found.day, None)
    return None


def time_elements(scope: Element) -> list[Dated]:
    """Return the dates of the time elements in a part of a page, in their order."""
    found = []
    for each in scope.iter("time"):
        given = declared_date([each.get("datetime") or "", text_of(each)])
        if given is not None:
            found.append(given)
    return found


def seen_days(lines: Sequence[str], today: date | None) -> list[date]:
    """Return the days in short lines, such as those between the title and the text."""
    found = []
    for line in lines:
        if len(line) > _LONGEST_LINE:
            continue
        for each in find_dates(line):
            day = each.on(each.year or (latest_year(each, today) if today else None))
            if day is not None:
                found.append(day)
    return found


def choose(
    declared: Dated | None, times: Sequence[Dated], seen: Sequence[date], press: date | None
) -> Dated | None:
    """Return the day of the release as its publisher gave it, and the moment if it is known.

    A page often declares its moment in UTC, so people may see another day. The day that people see counts. If
    it is more than a day away, the declared date is that of a later move of the page to another system.
    """
    if declared is None:
        shown = next((day for day in seen if times and abs(times[0].day - day) <= _NEAR), None)
        if times and (shown or not seen):
            return Dated(shown or times[0].day, times[0].moment)
        day = seen[0] if seen else press or (times[0].day if times else None)
        return Dated(day, None) if day else None
    near = next(
        (day for day in [*seen, *([press] if press else [])] if abs(day - declared.day) <= _NEAR), None
    )
    moment = declared.moment or next((each.moment for each in times if each.day == declared.day), None)
    if near is not None:
        return Dated(near, moment)
    if press is not None and press in seen and press < declared.day:
        return Dated(press, None)
    return Dated(declared.day, moment)
