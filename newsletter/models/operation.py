"""What the running service keeps about itself: heartbeats, the counters of limits, the pace of sending."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.models.base import Base, UTCDateTime, insert_new
from newsletter.throttle import Bucket, Limit, take


class Heartbeat(Base):
    """A process that says it lives, every few seconds. `name` is host, kind and process id."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)


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
    """What a relay, or a recipient's domain, was sent lately; `outbox/pace.py` decides what it means."""

    __tablename__ = "pace"

    key: Mapped[str] = mapped_column(String(320), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    state: Mapped[dict[str, Any]] = mapped_column(JSON)


def spend(session: Session, key: str, limit: Limit, now: datetime) -> float:
    """Take one from the bucket `key`; return 0.0, or the seconds to wait when it is empty.

    Counters live in the database so that every process counts the same, and a restart
    forgets nothing. Commits nothing.
    """
    fresh = insert_new(session, ThrottleBucket).values(key=key, level=limit.burst, updated_at=now)
    session.execute(fresh)  # two who come first at the same moment then share one row
    row = session.scalars(select(ThrottleBucket).where(ThrottleBucket.key == key).with_for_update()).one()
    after, wait_seconds = take(Bucket(row.level, row.updated_at), limit, now)
    row.level, row.updated_at = after.level, after.updated_at
    return wait_seconds
