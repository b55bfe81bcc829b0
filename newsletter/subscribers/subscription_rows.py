"""Add, activate, continue and end subscription rows. A change ends a row and adds one; it overwrites none."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from newsletter import coverage
from newsletter.models import (
    EndedReason,
    Frequency,
    Subscription,
    SubscriptionState,
    Topic,
)


def of_subscriber(
    session: Session, subscriber_id: int, *states: SubscriptionState, lock: bool = False
) -> list[Subscription]:
    """Return a subscriber's subscriptions in these states, in the order of the topics.

    With `lock`, lock the person first. That waits for an issue that is being prepared for them, and the
    returned rows have the marks that it wrote.
    """
    if lock:
        coverage.lock(session, [subscriber_id])
    wanted = (
        select(Subscription)
        .join(Subscription.topic)
        .options(joinedload(Subscription.topic))
        .where(Subscription.subscriber_id == subscriber_id, Subscription.state.in_(states))
        .order_by(Topic.position, Topic.name, Subscription.id)
    )
    if lock:
        wanted = wanted.execution_options(populate_existing=True)
    return list(session.scalars(wanted))


def in_newsletter(rows: Iterable[Subscription], newsletter_id: int | None) -> list[Subscription]:
    """Return the subscriptions to topics of one newsletter, or all of them for None."""
    return [row for row in rows if newsletter_id in {None, row.newsletter_id}]


def by_newsletter(rows: Iterable[Subscription]) -> dict[int, list[Subscription]]:
    """Return subscriptions by the newsletter of their topic; the newsletters are in the order of `rows`."""
    parts: dict[int, list[Subscription]] = {}
    for row in rows:
        parts.setdefault(row.newsletter_id, []).append(row)
    return parts


def topics_of(rows: Iterable[Subscription]) -> list[tuple[Topic, Frequency]]:
    """Return the topic and the frequency of each subscription, for the consent ledger."""
    return [(row.topic, row.frequency) for row in rows]


def speaks_for(session: Session, subscriber_id: int) -> int | None:
    """Return the newsletter that sends a person the emails that are about no newsletter.

    It is one that they have or have requested: the first newsletter, or else the oldest. None if they have
    none; then the first newsletter sends the email.
    """
    live = of_subscriber(session, subscriber_id, SubscriptionState.ACTIVE, SubscriptionState.PENDING)
    return min((row.newsletter_id for row in live), default=None)


def ask_for(
    session: Session, subscriber_id: int, topic_id: int, frequency: Frequency, now: datetime
) -> Subscription:
    """Add a pending subscription, which waits for its confirmation."""
    row = Subscription(
        subscriber_id=subscriber_id,
        topic_id=topic_id,
        newsletter_id=select(Topic.newsletter_id).where(Topic.id == topic_id).scalar_subquery(),
        frequency=frequency,
        state=SubscriptionState.PENDING,
        created_at=now,
    )
    session.add(row)
    return row


def take_up(
    session: Session,
    subscriber_id: int,
    topic_id: int,
    frequency: Frequency,
    now: datetime,
    welcome_releases: int = 0,
) -> Subscription:
    """Add an active subscription to a topic that this person does not get yet."""
    row = ask_for(session, subscriber_id, topic_id, frequency, now)
    activate(session, row, now, welcome_releases)
    return row


def activate(
    session: Session,
    row: Subscription,
    now: datetime,
    welcome_releases: int = 0,
    earlier: Subscription | None = None,
) -> None:
    """Make a pending subscription active.

    It takes over the marks of `earlier`. Without `earlier`, it takes over those of a subscription to the same
    topic, if the person unsubscribed from it and can still undo that. Otherwise it begins with new marks.
    """
    earlier = earlier or _ended_lately(session, row, now)
    if earlier is None:
        coverage.begin(session, row, welcome_releases)
    else:
        coverage.carry_over(earlier, row)
    row.state = SubscriptionState.ACTIVE
    row.confirmed_at = now


def _ended_lately(session: Session, row: Subscription, now: datetime) -> Subscription | None:
    """Return this person's last subscription to the same topic, if they can still undo its end."""
    last = session.scalars(
        select(Subscription)
        .where(
            Subscription.subscriber_id == row.subscriber_id,
            Subscription.topic_id == row.topic_id,
            Subscription.state == SubscriptionState.ENDED,
            Subscription.confirmed_at.is_not(None),
        )
        .order_by(Subscription.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    ).one_or_none()
    undoable = (
        last is not None
        and last.ended_reason is EndedReason.UNSUBSCRIBED
        and last.ended_at is not None
        and last.ended_at > now - coverage.UNDO_FOR
    )
    return last if undoable else None


def follow(session: Session, earlier: Subscription, frequency: Frequency, now: datetime) -> Subscription:
    """Add an active row that continues the ended row `earlier` with the same marks."""
    row = Subscription(
        subscriber_id=earlier.subscriber_id,
        topic_id=earlier.topic_id,
        newsletter_id=earlier.newsletter_id,
        frequency=frequency,
        state=SubscriptionState.ACTIVE,
        created_at=now,
        confirmed_at=earlier.confirmed_at,
        moved_from_id=earlier.moved_from_id,
    )
    coverage.carry_over(earlier, row)
    session.add(row)
    return row


def end(
    session: Session,
    ending: Iterable[Subscription],
    reason: EndedReason,
    now: datetime,
    delivery_id: int | None = None,
) -> None:
    """End subscriptions and flush.

    A unique index allows one active and one pending row for each topic. Without the flush, SQLAlchemy would
    insert the following row before it updates this one, which the index refuses.
    """
    for row in ending:
        row.state = SubscriptionState.ENDED
        row.ended_at = now
        row.ended_reason = reason
        row.ended_delivery_id = delivery_id
    session.flush()
