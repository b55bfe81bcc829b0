"""Spend tokens of rate limits. Their buckets are in the database, so all processes share them.

The rule of a bucket is `throttle.take`. Buckets survive a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, delete, select, text, update
from sqlalchemy.orm import Session

from newsletter.models import ThrottleBucket
from newsletter.models.base import UTCDateTime
from newsletter.throttle import Bucket, Limit, level_at, take

# Add a full bucket, or lock the existing one; return it. The update changes nothing. A SELECT FOR UPDATE
# finds no row to lock for the first request, and two first requests can come at once.
_LOCK = (
    text(
        "INSERT INTO throttle_bucket AS bucket (key, level, updated_at) VALUES (:key, :full, :now) "
        "ON CONFLICT (key) DO UPDATE SET level = bucket.level RETURNING level, updated_at"
    )
    .bindparams(bindparam("now", type_=UTCDateTime))
    .columns(ThrottleBucket.level, ThrottleBucket.updated_at)
)
_STORE = (
    update(ThrottleBucket)
    .where(ThrottleBucket.key == bindparam("of"))
    .values(level=bindparam("left"), updated_at=bindparam("now"))
)


@dataclass(frozen=True)
class Spent:
    """The seconds to wait, or 0.0 and the tokens left in each bucket, by key."""

    wait_seconds: float
    left: Mapping[str, float] = field(default_factory=dict)


def spend(session: Session, key: str, limit: Limit, now: datetime, reserve: float = 0.0) -> float:
    """Take one token from the bucket `key`; return 0.0, or the seconds to wait if it is empty.

    The last `reserve` tokens are reserved for other callers. Commits nothing.
    """
    return spend_all(session, {key: limit}, now, reserve).wait_seconds


def spend_all(session: Session, limits: Mapping[str, Limit], now: datetime, reserve: float = 0.0) -> Spent:
    """Take one token from each bucket of `limits`, by key. Commits nothing.

    If one bucket is empty, no token is taken from the others.
    """
    # Use the connection: the session's own work costs more than the statement, and each form runs this.
    connection = session.connection()
    taken = {}
    wait_seconds = 0.0
    for key in sorted(limits):  # always in the same order, so that two callers cannot deadlock
        locked = connection.execute(_LOCK, {"key": key, "full": limits[key].burst, "now": now}).one()
        taken[key], wait = take(Bucket(*locked), limits[key], now, reserve)
        wait_seconds = max(wait_seconds, wait)
    if wait_seconds:
        return Spent(wait_seconds)
    left = {key: bucket.level for key, bucket in taken.items()}
    connection.execute(_STORE, [{"of": key, "left": level, "now": now} for key, level in left.items()])
    return Spent(0.0, left)


def tokens_left(session: Session, key: str, limit: Limit, now: datetime) -> float:
    """Return how many tokens the bucket `key` holds now. Changes nothing."""
    bucket = select(ThrottleBucket.level, ThrottleBucket.updated_at).where(ThrottleBucket.key == key)
    found = session.execute(bucket).one_or_none()
    return limit.burst if found is None else level_at(Bucket(*found), limit, now)


def refill(session: Session, key: str) -> None:
    """Fill the bucket `key`. Commits nothing."""
    session.connection().execute(delete(ThrottleBucket).where(ThrottleBucket.key == key))
