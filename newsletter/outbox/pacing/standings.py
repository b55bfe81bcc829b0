"""Read and write the stored pace of a relay or a recipients' domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.models import Pace, insert_new
from newsletter.outbox.pacing.pace import Standing, from_state, to_state
from newsletter.settings import Settings, choose_relay


def relay_key(settings: Settings) -> str:
    """Return the key of the row for the relay of our From address."""
    return f"relay:{choose_relay(settings, settings.from_address).key}"[:320]


def domain_key(domain: str) -> str:
    """Return the key of the row for a recipients' domain."""
    return f"domain:{domain}"[:320]


def read_standing(session: Session, settings: Settings, now: datetime) -> Standing:
    """Return the standing of the relay of our From address."""
    return read(session, relay_key(settings), now)


def read(session: Session, key: str, now: datetime) -> Standing:
    """Return the standing of `key`, or a new one if no row has that key."""
    row = session.get(Pace, key)
    return Standing(now) if row is None else from_state(row.state, row.seen_at)


def lock(session: Session, keys: Sequence[str], now: datetime) -> Sequence[Pace]:
    """Return the rows of `keys`, locked until the commit. Missing rows are created."""
    fresh = [{"key": key, "seen_at": now, "state": {}} for key in sorted(keys)]
    session.execute(insert_new(session, Pace), fresh)
    # All processes lock in the same order, so there is no deadlock.
    chosen = select(Pace).where(Pace.key.in_(keys)).order_by(Pace.key).with_for_update()
    return session.scalars(chosen).all()


def change(
    session: Session, key: str, make: Callable[[Standing, datetime], Standing], now: datetime
) -> tuple[Standing, Standing]:
    """Change the standing of `key`; return it before and after. The row is locked until the commit."""
    (row,) = lock(session, [key], now)
    before = from_state(row.state, row.seen_at)
    after = make(before, now)
    row.state, row.seen_at = to_state(after), after.seen_at
    return before, after
