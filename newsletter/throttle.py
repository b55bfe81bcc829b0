"""A token bucket for rate limits: take a token, or learn how long to wait. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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


def take(bucket: Bucket | None, limit: Limit, now: datetime, floor: float = 0.0) -> tuple[Bucket, float]:
    """Take one token; return the new bucket and the seconds to wait (0.0 if there was a token).

    A refused request takes no token, so retries do not make the wait longer. If the clock is set back, the
    bucket keeps its level. The last `floor` tokens are reserved for other callers.
    """
    if bucket is None:
        bucket = Bucket(limit.burst, now)
    passed = max(0.0, (now - bucket.updated_at).total_seconds())
    level = min(limit.burst, bucket.level + passed * limit.rate)
    if level >= 1.0 + floor:
        return Bucket(level - 1.0, now), 0.0
    return Bucket(level, now), (1.0 + floor - level) / limit.rate
