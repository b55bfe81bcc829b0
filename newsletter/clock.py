"""The current time in UTC, and the zone of a time in words. No other module reads the machine's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def utcnow() -> datetime:
    """Return the current time as an aware datetime in UTC."""
    return datetime.now(UTC)


def zone_in_words(moment: datetime) -> str:
    """Return how far the zone of an aware datetime is from UTC then: UTC, UTC+2, UTC-3:30."""
    minutes = (moment.utcoffset() or timedelta()) // timedelta(minutes=1)
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '-'}{hours}" + (f":{rest:02}" if rest else "")
