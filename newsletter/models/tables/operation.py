"""Tables of the running service: heartbeats, rate limit buckets, spent challenges, pace, relay checks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import JSON, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime

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
    """The token bucket of one rate limit and key (limits/spend.py)."""

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
    """The last `newsletter relay check` of a sender with these settings, of which it has a digest.

    A check with other settings, such as those of a relay that is only tried, has a row of its own.
    """

    __tablename__ = "relay_check"

    key: Mapped[str] = mapped_column(String(320), primary_key=True)
    settings: Mapped[str] = mapped_column(String(64), primary_key=True)
    checked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    verdict: Mapped[str] = mapped_column(String(16))
    report: Mapped[dict[str, Any]] = mapped_column(JSON)


class ClockMark(Base):
    """A single row with a counter, `ticks`, that shows whether the database is a copy (outbox/copies.py).

    The clock of schedules raises it each minute. `copy_sign` is set while digests wait for a person's answer.
    `database` identifies the PostgreSQL database. `by_clock`: the clock raised the counter last, and not a
    drain that a person or cron started.
    """

    __tablename__ = "clock_mark"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ticks: Mapped[int] = mapped_column(BigId)
    ticked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    by_clock: Mapped[bool]
    database: Mapped[str] = mapped_column(String(80))
    copy_sign: Mapped[str | None] = mapped_column(String(24))
