"""How subscriptions begin, end and follow each other: rows end and are never overwritten."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from newsletter.models import (
    EndedReason,
    Frequency,
    Release,
    ReleaseState,
    ReleaseTopic,
    Subscription,
    SubscriptionState,
    Topic,
    current_sequence,
)


def of_subscriber(
    session: Session, subscriber_id: int, *states: SubscriptionState, lock: bool = False
) -> list[Subscription]:
    """Return a reader's subscriptions in these states, in the order of the topics.

    With `lock` an issue that is being prepared for them is waited for, and they are as it left them.
    """
    wanted = (
        select(Subscription)
        .join(Subscription.topic)
        .options(joinedload(Subscription.topic))
        .where(Subscription.subscriber_id == subscriber_id, Subscription.state.in_(states))
        .order_by(Topic.position, Topic.name, Subscription.id)
    )
    if lock:
        wanted = wanted.with_for_update(of=Subscription).execution_options(populate_existing=True)
    return list(session.scalars(wanted))


def ask_for(
    session: Session, subscriber_id: int, topic_id: int, frequency: Frequency, now: datetime
) -> Subscription:
    """Add a subscription that waits for its confirmation."""
    row = Subscription(
        subscriber_id=subscriber_id,
        topic_id=topic_id,
        frequency=frequency,
        state=SubscriptionState.PENDING,
        created_at=now,
    )
    session.add(row)
    return row


def begin(
    session: Session, subscriber_id: int, topic_id: int, frequency: Frequency, floor: int, now: datetime
) -> Subscription:
    """Add an active subscription that is served what comes above `floor`."""
    row = ask_for(session, subscriber_id, topic_id, frequency, now)
    activate(row, floor, now)
    return row


def activate(row: Subscription, floor: int, now: datetime) -> None:
    """Turn a pending subscription into one that is served what comes above `floor`."""
    row.state = SubscriptionState.ACTIVE
    row.started_sequence = row.covered_to = floor
    row.confirmed_at = now


def follow(session: Session, earlier: Subscription, frequency: Frequency, now: datetime) -> Subscription:
    """Add the active row that follows an ended one and goes on where that one was."""
    row = Subscription(
        subscriber_id=earlier.subscriber_id,
        topic_id=earlier.topic_id,
        frequency=frequency,
        state=SubscriptionState.ACTIVE,
        started_sequence=earlier.started_sequence,
        covered_to=earlier.covered_to,
        created_at=now,
        confirmed_at=earlier.confirmed_at,
    )
    session.add(row)
    return row


def end(
    session: Session,
    ending: Iterable[Subscription],
    reason: EndedReason,
    now: datetime,
    delivery_id: int | None = None,
) -> None:
    """End subscriptions, and tell the database at once.

    A row that follows would otherwise be inserted before this one is updated, against the
    index that allows a single active and a single pending row for each topic.
    """
    for row in ending:
        row.state = SubscriptionState.ENDED
        row.ended_at = now
        row.ended_reason = reason
        row.ended_delivery_id = delivery_id
    session.flush()


def entry_floor(session: Session, topic_id: int, welcome_releases: int) -> int:
    """Return where a new reader of a topic begins: the sequence above which releases are served.

    That is the counter of today, or low enough that the topic's newest `welcome_releases`
    mailable releases are above it, so that a first issue is not empty.
    """
    today = current_sequence(session)
    if welcome_releases < 1:
        return today
    newest = (
        select(ReleaseTopic.sequence)
        .join(ReleaseTopic.release)
        .where(
            ReleaseTopic.topic_id == topic_id,
            ReleaseTopic.sequence.is_not(None),
            Release.state == ReleaseState.READY,
        )
        .order_by(ReleaseTopic.sequence.desc())
        .limit(welcome_releases)
    )
    above = [sequence for sequence in session.scalars(newest) if sequence is not None]
    return min([today, *(sequence - 1 for sequence in above)])
