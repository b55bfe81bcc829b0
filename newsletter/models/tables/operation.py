"""What the running service keeps about itself: heartbeats, the counters of limits, the pace of sending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import JSON, String, TextClause, bindparam, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.models.base import Base, UTCDateTime
from newsletter.throttle import Bucket, Limit, take

# SQLite reckons with days, to some ten microseconds: who waited as told is let in.
_ROUNDING = 1e-4


@dataclass(frozen=True)
class Spent:
    """The seconds to wait (0.0: every bucket gave one), and what is left in those that gave, by key."""

    wait_seconds: float
    left: Mapping[str, float]


# A process that was not seen for so long is taken for gone; it says that it lives every ten seconds.
SILENT = timedelta(minutes=2)
# The kinds of process without which the service does not work, as people call them.
SERVING_KINDS = MappingProxyType(
    {
        "worker single": "the worker for single emails",
        "worker bulk": "the worker for digests",
        "beat": "the clock",
    }
)


class Heartbeat(Base):
    """A process that says it lives, every few seconds. `name` is host, kind and process id."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)


def seen_lately(session: Session, now: datetime) -> set[str]:
    """Return the kinds of process that were seen within two minutes."""
    return set(session.scalars(select(Heartbeat.kind).where(Heartbeat.seen_at > now - SILENT).distinct()))


class ThrottleBucket(Base):
    """The level of one limit's bucket; `throttle.py` decides what it means."""

    __tablename__ = "throttle_bucket"

    key: Mapped[str] = mapped_column(String(160), primary_key=True)
    level: Mapped[float]
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class SpentChallenge(Base):
    """A proof of work that was handed in: it counts once. Kept until it would be too old anyway."""

    __tablename__ = "spent_challenge"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class Pace(Base):
    """What a relay or a recipient's domain was sent lately (`outbox/pacing/pace.py` uses it)."""

    __tablename__ = "pace"

    key: Mapped[str] = mapped_column(String(320), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    state: Mapped[dict[str, Any]] = mapped_column(JSON)


class RelayCheck(Base):
    """What the last `newsletter relay check` found; `settings` marks those that it was made with."""

    __tablename__ = "relay_check"

    key: Mapped[str] = mapped_column(String(320), primary_key=True)
    checked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    settings: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[str] = mapped_column(String(16))
    report: Mapped[dict[str, Any]] = mapped_column(JSON)


def spend(session: Session, key: str, limit: Limit, now: datetime, floor: float = 0.0) -> float:
    """Take one from the bucket `key`; return 0.0, or the seconds to wait when it is empty.

    Counters live in the database so that every process counts the same, and a restart
    forgets nothing. What is below `floor` is kept for others. Commits nothing.
    """
    return spend_all(session, {key: limit}, now, floor).wait_seconds


def spend_all(session: Session, limits: Mapping[str, Limit], now: datetime, floor: float = 0.0) -> Spent:
    """Take one from each bucket of `limits`, by key. Commits nothing.

    When one of them refuses, what the others gave is given back. One statement unless something is
    refused: a visitor waits for it, and others wait for its lock. It says in SQL what `take` says,
    and a test compares the two.
    """
    given: dict[str, Any] = {"now": now, "needed": 1.0 + floor - _ROUNDING}
    for at, (key, limit) in enumerate(limits.items()):
        given |= {f"key{at}": key, f"left{at}": limit.burst - 1.0, f"rate{at}": limit.rate}
    statement = _taking(session.get_bind().dialect.name, len(limits))
    # Past the session's own machinery, which costs more than the statement: forms are counted here.
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
    # A bucket that was filled between the two statements is no reason to be let in without counting.
    return Spent(max([_ROUNDING, *waits]), left)


@lru_cache
def _taking(dialect: str, count: int) -> TextClause:
    """Return the statement that takes one from each of `count` buckets and returns those that had one."""
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
    burst = "(excluded.level + 1.0)"  # what a new bucket would have, before its first is taken
    level = f"{least}({burst}, bucket.level + {most}(0.0, {passed}) * CASE excluded.key {rates} END)"
    return text(
        f"INSERT INTO throttle_bucket AS bucket (key, level, updated_at) VALUES {rows} "  # noqa: S608
        f"ON CONFLICT (key) DO UPDATE SET level = {level} - 1.0, updated_at = :now "
        f"WHERE {level} >= :needed RETURNING key, level"
    ).bindparams(bindparam("now", type_=UTCDateTime))
