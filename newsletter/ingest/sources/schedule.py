"""When a source is fetched next. Pure, with the time and the jitter as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# A server can ask us to come later, but not for longer than this.
LONGEST_MAX_AGE = timedelta(hours=6)
LONGEST_RETRY_AFTER = timedelta(days=1)
LONGEST_BACK_OFF = timedelta(hours=6)
# The interval becomes longer by up to this part of it, so that sources added together are fetched apart.
JITTER = 0.1

_MAX_AGE = re.compile(r"(?:^|[\s,])(?:s-maxage|max-age)\s*=\s*\"?(\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """What a server asks of us: how long its answer is fresh, and when to come again."""

    max_age: timedelta | None = None
    retry_after: timedelta | None = None


def what_is_asked(headers: Mapping[str, str], now: datetime) -> Asked:
    """Return what Cache-Control (RFC 9111) and Retry-After (RFC 9110) of an answer say."""
    control = headers.get("cache-control", "")
    found = None if re.search(r"no-(?:cache|store)", control, re.IGNORECASE) else _MAX_AGE.search(control)
    return Asked(
        max_age=timedelta(seconds=int(found[1])) if found else None,
        retry_after=_retry_after(headers.get("retry-after", ""), now),
    )


def next_fetch(
    now: datetime,
    interval: timedelta,
    asked: Asked,
    *,
    failures: int,
    settles_in: timedelta | None,
    jitter: float,
) -> datetime:
    """Return when a source is fetched next.

    `failures` counts the failed fetches in a row. `settles_in` is when an item can settle: then the source is
    fetched earlier, although its last answer may still be fresh. Retry-After is always obeyed. `jitter` is
    from 0 to 1.
    """
    wait = interval
    if failures:
        # A daily source is never fetched more often because it fails.
        longest = max(interval, LONGEST_BACK_OFF)
        wait = min(interval * 2 ** min(failures - 1, 10), longest)
    elif settles_in is not None:
        wait = min(interval, max(settles_in, timedelta(minutes=1)))
    elif asked.max_age is not None:
        wait = max(interval, min(asked.max_age, LONGEST_MAX_AGE))
    wait *= 1 + JITTER * jitter
    if asked.retry_after is not None:
        wait = max(wait, min(asked.retry_after, LONGEST_RETRY_AFTER))
    return now + wait


def _retry_after(value: str, now: datetime) -> timedelta | None:
    value = value.strip()
    if value.isdigit():
        return timedelta(seconds=min(int(value), 10**9))
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(aware - now, timedelta())
