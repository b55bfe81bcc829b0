"""Turn a date, an hour and a time zone into an instant. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@lru_cache(maxsize=65536)
def instant(day: date, hour: int, zone_name: str) -> datetime:
    """Return the moment, in UTC, at which `hour` (0 to 23) comes on `day` in a time zone.

    If clocks show the hour twice, it is the first time. If they skip it, it is the first moment after
    the gap.
    """
    zone = zone_of(zone_name)
    wanted = datetime.combine(day, time(hour))
    moment = wanted.replace(tzinfo=zone).astimezone(UTC)  # fold=0 is the first of two
    skipped = _shown(moment, zone) - wanted
    if skipped <= timedelta(0):
        return moment
    # In a gap, fold=0 counts with the offset before the gap. So the change is at most `skipped` earlier.
    before, after = moment - skipped, moment
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        if _shown(middle, zone) >= wanted:
            after = middle
        else:
            before = middle
    return after


def _shown(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """Return a time zone, or UTC if this machine's time zone database does not have it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
