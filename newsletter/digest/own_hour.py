"""Find when a subscriber's chosen hour of the day comes next, in the subscriber's time zone."""

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
    """Return the due times of the subscribers of a chunk who must wait for their own hour, by subscriber id.

    A subscriber whose digest has a topic as it happens does not wait.
    """
    chose = select(Subscriber.id, Subscriber.time_zone, Subscriber.preferred_hour).where(
        chunk.covers(session, Subscriber.id), Subscriber.preferred_hour.is_not(None)
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
    """Group pairs of subscriber and rendition ids by due time, which is `due`'s or else `now`. Pure."""
    if not due:
        return {now: pairs}
    parted: dict[datetime, list[tuple[int, int]]] = defaultdict(list)
    for pair in pairs:
        parted[due.get(pair[0], now)].append(pair)
    return parted


def next_hour(time_zone: str, hour: int, now: datetime) -> datetime:
    """Return the next moment at which it is `hour` (0 to 23) in `time_zone`; `now` if it is that hour. Pure.

    The moment is in UTC and within 24 hours, also on days of 23 or 25 hours. If clocks show the hour twice,
    either time may be returned. If clocks skip the hour, the moment of the change is returned.
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
        return ZoneInfo("UTC")  # the stored zone may be missing from this machine's time zone database
