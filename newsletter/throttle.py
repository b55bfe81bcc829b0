"""The token bucket of every rate limit: take a token, or learn how long to wait. Pure.

`limits/spend.py` keeps the buckets in the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

# A wait is rounded to microseconds. A caller that waited as long as we said must get the token.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Limit:
    """A bucket of at most `burst` tokens that refills evenly in `period_seconds`."""

    burst: float
    period_seconds: float

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.burst / self.period_seconds


@dataclass(frozen=True)
class Bucket:
    """The state of a bucket: it held `level` tokens at `updated_at`."""

    level: float
    updated_at: datetime


def level_at(bucket: Bucket, limit: Limit, now: datetime) -> float:
    """Return how many tokens a bucket holds now. If the clock is set back, it keeps its level."""
    passed = max(0.0, (now - bucket.updated_at).total_seconds())
    return min(limit.burst, bucket.level + passed * limit.rate)


def take(bucket: Bucket | None, limit: Limit, now: datetime, reserve: float = 0.0) -> tuple[Bucket, float]:
    """Take one token; return the new bucket and the seconds to wait (0.0 if there was a token).

    A refused request takes no token, so retries do not make the wait longer. The last `reserve` tokens are
    reserved for other callers. Without a bucket, a full one is used.
    """
    level = limit.burst if bucket is None else level_at(bucket, limit, now)
    if level >= 1.0 + reserve - _ROUNDING:
        return Bucket(level - 1.0, now), 0.0
    return Bucket(level, now), (1.0 + reserve - level) / limit.rate
