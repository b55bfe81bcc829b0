"""A token bucket: how long something must wait. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Limit:
    """At most `burst` at once, refilled evenly over `period_seconds`."""

    burst: float
    period_seconds: float

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.burst / self.period_seconds


@dataclass(frozen=True)
class Bucket:
    """`level` tokens were left at `updated_at`."""

    level: float
    updated_at: datetime


def take(bucket: Bucket | None, limit: Limit, now: datetime, floor: float = 0.0) -> tuple[Bucket, float]:
    """Return the bucket after taking one token, and the seconds to wait (0.0 when one was there).

    A refusal takes nothing, so somebody who keeps knocking is let in once the time has passed.
    A clock set back neither fills nor empties the bucket. What is below `floor` is kept for others.
    """
    if bucket is None:
        bucket = Bucket(limit.burst, now)
    passed = max(0.0, (now - bucket.updated_at).total_seconds())
    level = min(limit.burst, bucket.level + passed * limit.rate)
    if level >= 1.0 + floor:
        return Bucket(level - 1.0, now), 0.0
    return Bucket(level, now), (1.0 + floor - level) / limit.rate
