"""When it is the hour that a reader chose, in the reader's own time zone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.digest.select import Chunk
from newsletter.models import Frequency, Subscriber
from newsletter.models.rendition_key import has_frequency


def own_hours(session: Session, chunk: Chunk, now: datetime) -> Mapping[int, datetime]:
    """Return when those readers of a chunk are due who chose an hour of their own and have to wait for it.

    Who gets something as it happens does not wait.
    """
    chose = select(Subscriber.id, Subscriber.time_zone, Subscriber.preferred_hour).where(
        Subscriber.id > chunk.after, Subscriber.id <= chunk.last, Subscriber.preferred_hour.is_not(None)
    )
    urgent = {subscriber for subscriber, key in chunk.selections if has_frequency(key, Frequency.IMMEDIATE)}
    moments: dict[tuple[str, int], datetime] = {}
    due = {}
    for subscriber, time_zone, hour in session.execute(chose):
        if hour is None or subscriber in urgent:
            continue
        if (time_zone, hour) not in moments:
            moments[time_zone, hour] = next_hour(time_zone, hour, now)
        if moments[time_zone, hour] > now:
            due[subscriber] = moments[time_zone, hour]
    return due


def by_moment(
    pairs: Sequence[tuple[int, int]], due: Mapping[int, datetime], now: datetime
) -> Mapping[datetime, Sequence[tuple[int, int]]]:
    """Return pairs of readers and renditions by when they are due: `now`, unless `due` says more. Pure."""
    if not due:
        return {now: pairs}
    parted: dict[datetime, list[tuple[int, int]]] = defaultdict(list)
    for pair in pairs:
        parted[due.get(pair[0], now)].append(pair)
    return parted


def next_hour(time_zone: str, hour: int, now: datetime) -> datetime:
    """Return when it is next `hour` (0 to 23) in `time_zone`, in UTC: `now` itself if it is that hour now.

    Pure. It is within 24 hours of elapsed time, also where a day has 23 or 25: of an hour that comes twice
    either counts, and for one that is left out the moment counts at which the clocks pass it over.
    """
    zone = _zone(time_zone)
    local = now.astimezone(zone)
    if local.hour == hour:
        return now
    for days in (0, 1):
        there = datetime.combine(local.date() + timedelta(days=days), time(hour), zone)
        moment = there.astimezone(UTC)
        if moment > now:
            return moment
    raise AssertionError("tomorrow's hour is behind us")  # a zone would have to skip two days


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")  # what a reader chose may be gone from the database of zones
