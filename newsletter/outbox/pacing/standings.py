"""Read and write the stored state of a relay, a sender, or a recipients' domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.messages.sender import Sender
from newsletter.models import Pace, insert_new
from newsletter.outbox.pacing.pace import Standing, from_state, to_state
from newsletter.settings import Relay

_Result = TypeVar("_Result")
# Returns the new standing, given the present one and the time.
Change = Callable[[Standing, datetime], Standing]


@dataclass(frozen=True)
class SenderStanding:
    """The state of a relay, that of one newsletter's sender, and that of the warm-up of its domain.

    The row of the sender has only `refusals` and `told_at`: a relay may refuse one sender and accept others.
    """

    relay: Standing
    sender: Standing
    warm_up: Standing | None = None


def relay_key(relay: Relay) -> str:
    """Return the key of the row for a relay."""
    return f"relay:{relay.key}"[:320]


def sender_key(sender: Sender) -> str:
    """Return the key of the row for a newsletter's sender, which has another row for its backup relay."""
    return f"sender:{sender.newsletter_id}" + (":backup" if sender.by_backup else "")


def warm_up_key(sender: Sender) -> str:
    """Return the key of the row for the warm-up of a From domain."""
    return f"warm-up:{sender.identity.sender_domain.lower()}"[:320]


def domain_key(domain: str) -> str:
    """Return the key of the row for a recipients' domain."""
    return f"domain:{domain}"[:320]


def read_standing(session: Session, sender: Sender, now: datetime) -> SenderStanding:
    """Return the standing of a sender and of its relay."""
    return read_standings(session, [sender], now)[0]


def read_standings(session: Session, senders: Sequence[Sender], now: datetime) -> list[SenderStanding]:
    """Return the standings of several senders and of their relays, in the order of the senders."""
    keys = {key for each in senders for key in (relay_key(each.relay), sender_key(each))}
    keys |= {warm_up_key(each) for each in senders if each.settings.warm_up}
    rows = session.scalars(select(Pace).where(Pace.key.in_(keys)))
    known = {row.key: of_row(row) for row in rows}
    new = Standing(now)
    return [
        SenderStanding(
            known.get(relay_key(each.relay), new),
            known.get(sender_key(each), new),
            known.get(warm_up_key(each), new),
        )
        for each in senders
    ]


def of_row(row: Pace) -> Standing:
    """Return the standing that a row stores."""
    return from_state(row.state, row.seen_at)


def read(session: Session, key: str, now: datetime) -> Standing:
    """Return the standing of `key`, or a new one if no row has that key."""
    row = session.get(Pace, key)
    return Standing(now) if row is None else of_row(row)


def lock(session: Session, keys: Sequence[str], now: datetime) -> Sequence[Pace]:
    """Return the rows of `keys`, locked until the commit. Missing rows are created."""
    fresh = [{"key": key, "seen_at": now, "state": {}} for key in sorted(keys)]
    session.execute(insert_new(session, Pace), fresh)
    # All processes lock in the same order, so there is no deadlock.
    chosen = select(Pace).where(Pace.key.in_(keys)).order_by(Pace.key).with_for_update()
    return session.scalars(chosen).all()


def update(
    session: Session, key: str, make: Callable[[Standing, datetime], tuple[Standing, _Result]], now: datetime
) -> _Result:
    """Change the standing of `key`; return what else `make` returns. The row is locked until the commit."""
    (row,) = lock(session, [key], now)
    standing, result = make(of_row(row), now)
    row.state, row.seen_at = to_state(standing), standing.seen_at
    return result


def change(session: Session, key: str, make: Change, now: datetime) -> tuple[Standing, Standing]:
    """Change the standing of `key`; return it before and after. The row is locked until the commit."""

    def both(before: Standing, now: datetime) -> tuple[Standing, tuple[Standing, Standing]]:
        after = make(before, now)
        return after, (before, after)

    return update(session, key, both, now)
