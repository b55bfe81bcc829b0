"""Read the dates of feeds: RFC 822 and ISO 8601 with their zone, others by feedparser. Pure."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_tz
from typing import NamedTuple

# A release is neither older nor further ahead than this; other dates are mistakes of the feed.
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s*(Z|z|[+-]\d\d:?\d\d)?)?\Z"
)
_DAY_ONLY = re.compile(r"[A-Za-z]{0,9},?\s*\d{1,2}\s+[A-Za-z]{3,9}\s+\d{4}\Z")


class Dated(NamedTuple):
    """The date as it was written, and the moment in UTC if a time was written too."""

    day: date
    moment: datetime | None


def read_date(text: str, parsed: Sequence[int] | None = None) -> Dated | None:
    """Return the date in `text`. `parsed` is feedparser's reading of it, a time in UTC.

    A time without a zone is taken as UTC. Returns None if nothing can be read.
    """
    text = " ".join(text.split())[:100]
    found = _iso(text) or _rfc_822(text) or _other(parsed)
    return found if found and _FIRST_YEAR <= found.day.year <= _LAST_YEAR else None


def _iso(text: str) -> Dated | None:
    hit = _ISO.match(text)
    if hit is None:
        return None
    try:
        day = date(int(hit[1]), int(hit[2]), int(hit[3]))
        if hit[4] is None:
            return Dated(day, None)
        local = datetime(day.year, day.month, day.day, int(hit[4]), int(hit[5]), int(hit[6] or 0), tzinfo=UTC)
        return Dated(day, local - _offset(hit[7] or "Z"))
    except (ValueError, OverflowError):
        return None


def _offset(zone: str) -> timedelta:
    if zone in {"Z", "z"}:
        return timedelta()
    size = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return -size if zone[0] == "-" else size


def _rfc_822(text: str) -> Dated | None:
    try:
        day_only = _DAY_ONLY.match(text) is not None
        found = parsedate_tz(f"{text} 00:00:00" if day_only else text)
        if found is None:
            return None
        if day_only:
            return Dated(date(*found[:3]), None)
        local = datetime(*found[:6], tzinfo=UTC)
        return Dated(local.date(), local - timedelta(seconds=found[9] or 0))
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def _other(parsed: Sequence[int] | None) -> Dated | None:
    if not parsed:
        return None
    try:
        moment = datetime.fromtimestamp(calendar.timegm(tuple(parsed)), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return Dated(moment.date(), moment)
