"""Pausing: a reader gets nothing until a day, loses little, and goes on by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from newsletter.models import (
    ConsentAct,
    Delivery,
    DeliveryState,
    EndedReason,
    Issue,
    IssueState,
    Lane,
    Subscriber,
    Subscription,
    SubscriptionState,
    is_one_of,
)
from newsletter.subscriptions import rows
from newsletter.subscriptions.consent import note

# How long somebody may pause, in weeks.
WEEKS = (1, 4, 12)
# What is written but not with a worker.
UNSENT = (DeliveryState.QUEUED, DeliveryState.DEFERRED)
# Pauses ended by one transaction of the sweep.
AT_ONCE = 500


def snooze(
    session: Session,
    subscriber: Subscriber,
    weeks: int,
    now: datetime,
    how: str,
    ip_address: str | None = None,
) -> bool:
    """Pause a (locked) reader for some weeks from now; return whether there was anything to pause.

    What is written for them and not with a worker yet is taken back, to come after the pause.
    Raises ValueError for a number of weeks that is not offered. Commits nothing.
    """
    if weeks not in WEEKS:
        raise ValueError(f"{weeks} weeks are not offered")
    active = rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE, lock=True)
    if not active:
        return False
    subscriber.snoozed_until = now + timedelta(weeks=weeks)
    # New rows, so that an issue that is just being prepared leaves them alone altogether, whatever it
    # has read of this reader so far (see digest/select.py, Audience).
    _renew(session, active, now)
    take_back(session, subscriber.id, now)
    note(
        session, subscriber.id, ConsentAct.SNOOZED, how, now,
        ip_address=ip_address, until=subscriber.snoozed_until.isoformat(),
    )  # fmt: skip
    return True


def is_snoozed(subscriber: Subscriber, now: datetime) -> bool:
    """Return whether a reader pauses."""
    return subscriber.snoozed_until is not None and subscriber.snoozed_until > now


def resume(
    session: Session,
    subscriber: Subscriber,
    catch_up: int,
    now: datetime,
    how: str,
    ip_address: str | None = None,
) -> bool:
    """End the pause of a (locked) reader; return whether there was one. Commits nothing.

    The newest `catch_up` releases of each topic that they have not had are still to come; what
    is older is left out for good.
    """
    if subscriber.snoozed_until is None:
        return False
    subscriber.snoozed_until = None
    active = rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE, lock=True)
    if not active:  # left meanwhile: nothing goes on
        return False
    for row in _renew(session, active, now):
        floor = rows.entry_floor(session, row.topic_id, catch_up)
        if floor > row.covered_to:
            # The floor of all that is to come: cancelling an issue must not bring back what is left out.
            row.started_sequence = row.covered_to = floor
    session.flush()
    note(session, subscriber.id, ConsentAct.RESUMED, how, now, ip_address=ip_address)
    return True


def end_pauses(session: Session, catch_up: int, now: datetime, limit: int = AT_ONCE) -> int:
    """End the pauses that are over; return how many, at most `limit`. Commits nothing.

    Also takes back what came back unsent from a worker for readers who pause.
    """
    over = (
        select(Subscriber)
        .where(Subscriber.snoozed_until <= now)
        .order_by(Subscriber.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ended = list(session.scalars(over))
    for subscriber in ended:
        resume(session, subscriber, catch_up, now, "time")
    _take_back_stragglers(session, now)
    return len(ended)


def take_back(session: Session, subscriber_id: int, now: datetime) -> int:
    """Take back the digests of one reader that no worker has yet; return how many. Commits nothing.

    They are skipped, and the reader's next issue looks again at all that they could have held.
    """
    mine = Delivery.subscriber_id == subscriber_id
    return len(_skip(session, mine, now))


def look_again_at_held(session: Session, subscriber_id: int) -> None:
    """Let the next issue look again at the digests a worker holds, which may come back unsent.

    Whatever is sent after all is left out of that issue. Commits nothing.
    """
    held = session.scalars(
        select(Delivery.issue_id).where(
            Delivery.subscriber_id == subscriber_id,
            Delivery.state == DeliveryState.LEASED,
            Delivery.issue_id.is_not(None),
        )
    ).all()
    _set_back(session, subscriber_id, [each for each in held if each is not None])


def return_skipped(session: Session, subscriber_id: int, since: datetime) -> None:
    """Let the next issue look again at what came to nothing since a moment, because the reader was away.

    Skipped, or cancelled with the whole issue, which was given back to those who were there.
    """
    skipped = session.scalars(
        select(Delivery.issue_id).where(
            Delivery.subscriber_id == subscriber_id,
            Delivery.state.in_((DeliveryState.SKIPPED, DeliveryState.CANCELLED)),
            Delivery.settled_at >= since,
            Delivery.issue_id.is_not(None),
        )
    ).all()
    _set_back(session, subscriber_id, [each for each in skipped if each is not None])


def _renew(session: Session, active: Sequence[Subscription], now: datetime) -> list[Subscription]:
    rows.end(session, active, EndedReason.CHANGED, now)
    renewed = [rows.follow(session, row, row.frequency, now) for row in active]
    session.flush()
    return renewed


def _take_back_stragglers(session: Session, now: datetime) -> None:
    open_issues = select(Issue.id).where(
        Issue.state.in_((IssueState.PREPARING, IssueState.SENDING, IssueState.PAUSED))
    )
    pausing = session.scalars(select(Subscriber.id).where(Subscriber.snoozed_until > now)).all()
    if not pausing:
        return
    # Each is looked up by issue and reader. Found by their states, which an update would do, all that
    # waits of a big issue would be read once a minute, while nobody else may write.
    held = select(Delivery.id).where(
        Delivery.issue_id.in_(open_issues),
        is_one_of(session, Delivery.subscriber_id, pausing),
        Delivery.state.concat("").in_([each.value for each in UNSENT]),
    )
    stragglers = session.scalars(held).all()
    if stragglers:
        _skip(session, is_one_of(session, Delivery.id, stragglers), now)


def _skip(session: Session, whose: ColumnElement[bool], now: datetime) -> list[tuple[int, int]]:
    """Skip what waits of `whose` digests; return the readers and issues, covered_to put back."""
    skipped = session.execute(
        update(Delivery)
        .where(whose, Delivery.lane == Lane.BULK, Delivery.state.in_(UNSENT))
        .values(state=DeliveryState.SKIPPED, settled_at=now)
        .returning(Delivery.subscriber_id, Delivery.issue_id)
        .execution_options(synchronize_session=False)
    )
    found = [(reader, issue) for reader, issue in skipped if reader is not None and issue is not None]
    issues: dict[int, list[int]] = {}
    for reader, issue in found:
        issues.setdefault(reader, []).append(issue)
    for reader, theirs in issues.items():
        _set_back(session, reader, theirs)
    return found


def _set_back(session: Session, subscriber_id: int, issue_ids: Sequence[int]) -> None:
    """Put `covered_to` back to where these issues began; selection leaves out what was sent after all."""
    if not issue_ids:
        return
    lowest = session.scalar(select(func.min(Issue.from_sequence)).where(Issue.id.in_(issue_ids)))
    for row in rows.of_subscriber(session, subscriber_id, SubscriptionState.ACTIVE):
        # But not below what a subscription began with: that was never theirs.
        row.covered_to = min(row.covered_to, max(row.started_sequence, lowest or 0))
    session.flush()
