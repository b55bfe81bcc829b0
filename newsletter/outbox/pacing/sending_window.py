"""The sending window: the hours in which issues may be sent. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from newsletter.settings import SendingWindow, Span


def is_open(window: SendingWindow | None, zone: ZoneInfo, now: datetime) -> bool:
    """Return whether issues may be sent now. `zone` is used for a window without its own time zone.

    Hours are local time. If an hour comes twice at the end of summer time, it is open twice.
    """
    if window is None:
        return True
    here = now.astimezone(window.zone or zone)
    minute = here.hour * 60 + here.minute
    return any(
        (here.weekday() in span.weekdays and span.opens <= minute < span.closes)
        or ((here.weekday() - 1) % 7 in span.weekdays and minute < span.closes - 24 * 60)
        for span in window.spans
    )


def opens_at(window: SendingWindow, zone: ZoneInfo, now: datetime) -> datetime:
    """Return when a closed window opens next, in UTC; `now` when it is open."""
    if is_open(window, zone, now):
        return now
    here = window.zone or zone
    today = now.astimezone(here).date()
    days = [today + timedelta(days=ahead) for ahead in range(-1, 9)]
    openings = [_opening(span, day, here, fold) for day in days for span in window.spans for fold in (0, 1)]
    for candidate in sorted(moment for moment in openings if moment > now):
        if is_open(window, zone, candidate):
            # If the opening is in the hour that summer time skips, the window opens earlier: at the change.
            earlier = candidate
            while is_open(window, zone, earlier - timedelta(minutes=1)):
                earlier -= timedelta(minutes=1)
            return max(earlier, now)
    return now + timedelta(days=1)  # not reached: each span has a weekday


def _opening(span: Span, day: date, zone: ZoneInfo, fold: int) -> datetime:
    if day.weekday() not in span.weekdays:
        return datetime.min.replace(tzinfo=UTC)
    # In the hour that comes twice, a window opens twice. At other times both folds are the same moment.
    return datetime.combine(day, time(span.opens // 60, span.opens % 60, fold=fold), zone).astimezone(UTC)
