"""Spend tokens of rate limits. Their buckets are in the database, so all processes share them.

The rule of a bucket is `throttle.take`. Buckets survive a restart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, delete, select, text, update
from sqlalchemy.orm import Session

from newsletter.models import ThrottleBucket
from newsletter.models.base import UTCDateTime
from newsletter.throttle import Bucket, Limit, level_at, take

# Add a full bucket, or lock the existing one. The update changes nothing. A SELECT FOR UPDATE finds no row to
# lock for the first request, and two first requests can come at once.
_LOCK = text(
    "INSERT INTO throttle_bucket AS bucket (key, level, updated_at) VALUES (:key, :full, :now) "
    "ON CONFLICT (key) DO UPDATE SET level = bucket.level"
).bindparams(bindparam("now", type_=UTCDateTime))
_READ = select(ThrottleBucket.key, ThrottleBucket.level, ThrottleBucket.updated_at).where(
    ThrottleBucket.key.in_(bindparam("keys", expanding=True))
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
    return spend_in_turn(session, [limits], now, reserve)[0]


def spend_in_turn(
    session: Session, requests: Sequence[Mapping[str, Limit]], now: datetime, reserve: float = 0.0
) -> list[Spent]:
    """Do for each of several requests, in turn, what `spend_all` does for one. Commits nothing.

    All of them together take three statements.
    """
    full = {key: limit.burst for limits in requests for key, limit in limits.items()}
    if not full:
        return [Spent(0.0) for _ in requests]
    keys = sorted(full)  # two callers cannot deadlock, because both lock in this order
    # Use the connection: the session's own work costs more than a statement.
    connection = session.connection()
    connection.execute(_LOCK, [{"key": key, "full": full[key], "now": now} for key in keys])
    rows = connection.execute(_READ, {"keys": keys})
    buckets = {key: Bucket(level, updated_at) for key, level, updated_at in rows}
    taken: dict[str, Bucket] = {}
    spent = []
    for limits in requests:
        tried = {key: take(buckets[key], limit, now, reserve) for key, limit in limits.items()}
        wait_seconds = max((wait for _, wait in tried.values()), default=0.0)
        if wait_seconds:
            spent.append(Spent(wait_seconds))
            continue
        left = {key: bucket for key, (bucket, _) in tried.items()}
        buckets |= left
        taken |= left
        spent.append(Spent(0.0, {key: bucket.level for key, bucket in left.items()}))
    if taken:
        stored = [{"of": key, "left": taken[key].level, "now": now} for key in sorted(taken)]
        connection.execute(_STORE, stored)
    return spent


def tokens_left(session: Session, key: str, limit: Limit, now: datetime) -> float:
    """Return how many tokens the bucket `key` holds now. Changes nothing."""
    bucket = select(ThrottleBucket.level, ThrottleBucket.updated_at).where(ThrottleBucket.key == key)
    found = session.execute(bucket).one_or_none()
    return limit.burst if found is None else level_at(Bucket(*found), limit, now)


def refill(session: Session, key: str) -> None:
    """Fill the bucket `key`. Commits nothing."""
    session.connection().execute(delete(ThrottleBucket).where(ThrottleBucket.key == key))
