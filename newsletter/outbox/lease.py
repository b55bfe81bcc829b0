"""Claiming due deliveries, and what is re-checked in that moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, literal_column, or_, select, update
from sqlalchemy.orm import Session

from newsletter.messages.recompose import find_fitting, held_by
from newsletter.models import (
    Delivery,
    DeliveryState,
    Issue,
    IssueState,
    Lane,
    Subscriber,
    Subscription,
    is_one_of,
    is_single,
)

LEASE = timedelta(minutes=10)

# What waits, the longest-waiting kind first.
WAITING = (DeliveryState.DEFERRED, DeliveryState.QUEUED)


def issues_to_send(session: Session, now: datetime) -> list[int]:
    """Return the ids of issues in `sending` that have a due delivery, the oldest first.

    Asked before claiming, so that a paused issue with a million waiting rows costs nothing.
    """
    due = exists().where(
        Delivery.lane == Lane.BULK,
        Delivery.issue_id == Issue.id,
        Delivery.state.in_(WAITING),
        Delivery.due_at <= now,
    )
    chosen = select(Issue.id).where(Issue.state == IssueState.SENDING, due)
    return list(session.scalars(chosen.order_by(Issue.id)))


def claim(
    session: Session, lane: Lane, issue_id: int | None, worker: str, limit: int, now: datetime
) -> list[int]:
    """Lease up to `limit` due deliveries of a lane (and issue) to `worker`; return their ids.

    A lapsed lease is not due again: only the journal of the worker that held it can tell
    what was sent (outbox/journal.py). Commits nothing: the caller owns the transaction.
    """
    taken: list[int] = []
    # A state at a time, so that the index gives the rows in order and a million waiting ones are
    # not sorted for each claim.
    for state in WAITING:
        if len(taken) < limit:
            taken += _claim_state(session, lane, issue_id, state, worker, limit - len(taken), now)
    return sorted(taken)


def _claim_state(
    session: Session,
    lane: Lane,
    issue_id: int | None,
    state: DeliveryState,
    worker: str,
    limit: int,
    now: datetime,
) -> list[int]:
    mine = is_single() if lane is Lane.SINGLE else Delivery.lane == Lane.BULK
    due = select(Delivery.id).where(mine, Delivery.state == state, Delivery.due_at <= now)
    if issue_id is not None:
        due = due.where(Delivery.issue_id == issue_id)
    chosen = due.order_by(Delivery.due_at, Delivery.id).limit(limit).with_for_update(skip_locked=True)
    # One statement, so that two workers never read the same rows before either writes:
    # SQLite has no row locks, and PostgreSQL skips the rows another worker holds.
    take = (
        update(Delivery)
        .where(Delivery.id.in_(chosen))
        .values(
            state=DeliveryState.LEASED,
            leased_by=worker,
            leased_until=now + LEASE,
            attempt=Delivery.attempt + 1,
        )
        .returning(Delivery.id)
    )
    return list(session.scalars(take.execution_options(synchronize_session=False)))


def single_mail_is_due(session: Session, now: datetime) -> bool:
    """Return whether somebody waits for a single mail; cheaper than claiming nothing."""
    waiting = exists().where(is_single(), Delivery.state.in_(WAITING), Delivery.due_at <= now)
    return bool(session.scalar(select(waiting)))


def _unwanted() -> ColumnElement[bool]:
    """Whether nobody wants a single email any more, or nobody is left whom it could go to.

    Digests are looked at by messages/recompose.py.
    """
    theirs = Subscription.subscriber_id == Delivery.subscriber_id
    subscribed = exists().where(theirs, Subscription.state == literal_column("'active'"))
    awaited = exists().where(theirs, Subscription.state == literal_column("'pending'"))
    erased = exists().where(Subscriber.id == Delivery.subscriber_id, Subscriber.email.is_(None))
    to_subscriber = Delivery.subscriber_id.is_not(None)
    return or_(
        erased,
        and_(Delivery.subscriber_id.is_(None), Delivery.recipient.is_(None)),
        # A digest has no template, and NULL would make neither this nor its opposite true.
        and_(to_subscriber, func.coalesce(Delivery.template, "").in_(("confirm", "reminder")), ~awaited),
        and_(to_subscriber, func.coalesce(Delivery.template, "") == "welcome", ~subscribed),
    )


def skip_unwanted(
    session: Session, claimed: Sequence[int], suppressed: Sequence[int], now: datetime
) -> set[int]:
    """Skip the single emails of `claimed` that nobody wants or that are `suppressed`; return their ids.

    People leave between asking and sending. Ids of deliveries in all three. Commits nothing.
    """
    unwanted = _unwanted()
    if suppressed:
        unwanted = or_(unwanted, is_one_of(session, Delivery.id, suppressed))
    skipped = (
        update(Delivery)
        .where(is_one_of(session, Delivery.id, claimed), Delivery.lane == Lane.SINGLE, unwanted)
        .values(state=DeliveryState.SKIPPED, leased_by=None, leased_until=None, settled_at=now)
        .returning(Delivery.id)
    )
    return set(session.scalars(skipped.execution_options(synchronize_session=False)))


def still_wanted(session: Session, digests: Sequence[int], singles: Sequence[int], worker: str) -> set[int]:
    """Return the deliveries that `worker` still holds and that may still be sent as they are.

    The last look before an envelope. A digest's issue is not paused or cancelled, its topics are kept, and
    its releases are ready. Somebody still wants a single email. In both cases the subscriber is still there.
    """
    wanted: set[int] = set()
    if digests:
        sending = exists().where(Issue.id == Delivery.issue_id, Issue.state == IssueState.SENDING)
        wanted |= find_fitting(session, digests, *held_by(worker), sending)
    if singles:
        kept = select(Delivery.id).where(
            is_one_of(session, Delivery.id, singles), *held_by(worker), is_single(), ~_unwanted()
        )
        wanted.update(session.scalars(kept))
    return wanted


def give_back(session: Session, delivery_ids: Sequence[int], worker: str, due_at: datetime) -> None:
    """Queue again what `worker` holds and has not offered to a relay; the attempt is not counted."""
    session.execute(
        update(Delivery)
        .where(
            is_one_of(session, Delivery.id, delivery_ids),
            Delivery.state == DeliveryState.LEASED,
            Delivery.leased_by == worker,
        )
        .values(
            state=DeliveryState.QUEUED,
            leased_by=None,
            leased_until=None,
            due_at=due_at,
            attempt=Delivery.attempt - 1,
        )
        .execution_options(synchronize_session=False)
    )


def postpone(session: Session, rows: Sequence[tuple[int, datetime]], worker: str) -> None:
    """Queue again what `worker` holds and their domains have no turn for, each at a time of its own."""
    again = (
        update(Delivery)
        .where(
            Delivery.id == bindparam("row"),
            Delivery.state == DeliveryState.LEASED,
            Delivery.leased_by == worker,
        )
        .values(
            state=DeliveryState.QUEUED,
            leased_by=None,
            leased_until=None,
            due_at=bindparam("again_at"),
            attempt=Delivery.attempt - 1,
        )
    )
    session.connection().execute(again, [{"row": row, "again_at": due_at} for row, due_at in rows])
