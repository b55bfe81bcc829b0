"""Tables of the running service: heartbeats, rate limit buckets, spent challenges, pace, relay checks.

It also has the SQL that spends from rate limit buckets (`spend`, `spend_all`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import JSON, String, TextClause, bindparam, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.models.base import Base, UTCDateTime
from newsletter.throttle import Bucket, Limit, take

# SQLite computes times in days, exact to some ten microseconds. A client that waited as long as we said must
# be allowed.
_ROUNDING = 1e-4


@dataclass(frozen=True)
class Spent:
    """The seconds to wait (0.0 if every bucket had one), and the levels left in those that had, by key."""

    wait_seconds: float
    left: Mapping[str, float]


# A process without a heartbeat for this long counts as dead. Heartbeats come every ten seconds.
SILENT = timedelta(minutes=2)
# The kinds of process that the service needs, with their names for people.
SERVING_KINDS = MappingProxyType(
    {
        "worker single": "the worker for single emails",
        "worker bulk": "the worker for digests",
        "beat": "the clock",
    }
)


class Heartbeat(Base):
    """A process and the time of its last heartbeat. `name` is host, kind and process id."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)


def worker_heartbeats(session: Session) -> Sequence[Heartbeat]:
    """Return the rows of the workers, by name."""
    workers = select(Heartbeat).where(Heartbeat.kind.startswith("worker")).order_by(Heartbeat.name)
    return session.scalars(workers).all()


def seen_lately(session: Session, now: datetime) -> set[str]:
    """Return the kinds of process with a heartbeat in the last two minutes."""
    return set(session.scalars(select(Heartbeat.kind).where(Heartbeat.seen_at > now - SILENT).distinct()))


class ThrottleBucket(Base):
    """The token bucket of one rate limit and key (throttle.py)."""

    __tablename__ = "throttle_bucket"

    key: Mapped[str] = mapped_column(String(160), primary_key=True)
    level: Mapped[float]
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class SpentChallenge(Base):
    """A proof of work that was used, so that it counts only once. Kept until it would expire anyway."""

    __tablename__ = "spent_challenge"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class Pace(Base):
    """How much was sent lately to a relay or a recipients' domain (for outbox/pacing/pace.py)."""

    __tablename__ = "pace"

    key: Mapped[str] = mapped_column(String(320), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    state: Mapped[dict[str, Any]] = mapped_column(JSON)


class RelayCheck(Base):
    """The result of the last `newsletter relay check`; `settings` is a digest of the settings it used."""

    __tablename__ = "relay_check"

    key: Mapped[str] = mapped_column(String(320), primary_key=True)
    checked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    settings: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[str] = mapped_column(String(16))
    report: Mapped[dict[str, Any]] = mapped_column(JSON)


def spend(session: Session, key: str, limit: Limit, now: datetime, floor: float = 0.0) -> float:
    """Take one token from the bucket `key`; return 0.0, or the seconds to wait if it is empty.

    Buckets are in the database, so that all processes share them and a restart keeps them. Tokens below
    `floor` are kept for other callers. Commits nothing.
    """
    return spend_all(session, {key: limit}, now, floor).wait_seconds


def spend_all(session: Session, limits: Mapping[str, Limit], now: datetime, floor: float = 0.0) -> Spent:
    """Take one token from each bucket of `limits`, by key. Commits nothing.

    If one bucket is empty, the tokens from the others are put back. Without a refusal this is one statement,
    because a visitor waits for it and others wait for its locks. Its SQL computes what throttle.take
    computes; a test compares the two.
    """
    given: dict[str, Any] = {"now": now, "needed": 1.0 + floor - _ROUNDING}
    for at, (key, limit) in enumerate(limits.items()):
        given |= {f"key{at}": key, f"left{at}": limit.burst - 1.0, f"rate{at}": limit.rate}
    statement = _taking(session.get_bind().dialect.name, len(limits))
    # Use the connection: the session's own work costs more than the statement, and each form runs this.
    connection = session.connection()
    left = {key: level for key, level in connection.execute(statement, given)}
    if len(left) == len(limits):
        return Spent(0.0, left)
    if left:
        given_back = update(ThrottleBucket).where(ThrottleBucket.key.in_(left))
        connection.execute(given_back.values(level=ThrottleBucket.level + 1.0))
    columns = select(ThrottleBucket.key, ThrottleBucket.level, ThrottleBucket.updated_at)
    waits = [
        take(Bucket(level, updated_at), limits[key], now, floor)[1]
        for key, level, updated_at in connection.execute(columns.where(ThrottleBucket.key.in_(limits)))
        if key not in left
    ]
    # If a bucket was refilled between the two statements, the caller must still wait: no token was taken.
    return Spent(max([_ROUNDING, *waits]), left)


@lru_cache
def _taking(dialect: str, count: int) -> TextClause:
    """Return the SQL that takes a token from each of `count` buckets and returns the buckets that had one."""
    if dialect == "sqlite":
        least, most = "min", "max"
        passed = "(julianday(:now) - julianday(bucket.updated_at)) * 86400.0"
    else:
        least, most = "least", "greatest"
        passed = (
            "CAST(EXTRACT(EPOCH FROM (CAST(:now AS timestamptz) - bucket.updated_at)) AS double precision)"
        )
    rows = ", ".join(f"(:key{at}, :left{at}, :now)" for at in range(count))
    rates = " ".join(f"WHEN :key{at} THEN :rate{at}" for at in range(count))
    burst = "(excluded.level + 1.0)"  # the level of a new bucket before its first token is taken
    level = f"{least}({burst}, bucket.level + {most}(0.0, {passed}) * CASE excluded.key {rates} END)"
    return text(
        f"INSERT INTO throttle_bucket AS bucket (key, level, updated_at) VALUES {rows} "  # noqa: S608
        f"ON CONFLICT (key) DO UPDATE SET level = {level} - 1.0, updated_at = :now "
        f"WHERE {level} >= :needed RETURNING key, level"
    ).bindparams(bindparam("now", type_=UTCDateTime))
