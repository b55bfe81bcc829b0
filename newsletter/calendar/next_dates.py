"""Find when each frequency of a calendar is due next for one subscriber, or for everybody. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from newsletter.calendar.plan import Calendar, Hour, days_between
from newsletter.calendar.rules import DATED
from newsletter.models import Frequency

# Each rule has a date within this time, holidays included.
FURTHEST = timedelta(days=100)


def next_instants(calendar: Calendar, hour: Hour, now: datetime) -> Mapping[Frequency, datetime]:
    """Return the next instant of each frequency after `now`, for those with this hour.

    None as an hour is the newsletter's own. A frequency whose rule has no date soon is left out.
    """
    found: dict[Frequency, datetime] = {}
    for day in days_between(now, now + FURTHEST):
        instant = calendar.instant(hour, day)
        if instant > now:
            for each in calendar.due(hour, day) - found.keys():
                found[each] = instant
        if len(found) == len(DATED):
            break
    return found
