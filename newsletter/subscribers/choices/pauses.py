"""Pause a subscriber's emails for some weeks, and end pauses."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import coverage
from newsletter.models import (
    ConsentAct,
    Delivery,
    DeliveryState,
    Lane,
    Rendition,
    Subscriber,
    SubscriptionState,
)
from newsletter.outbox.unsent import WAITING, end_unsent
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.consent.ledger import note

# The lengths of pauses that are offered, in weeks.
WEEKS = (1, 4, 12)
# How many pauses the sweep ends in one transaction.
AT_ONCE = 500


def pause(
    session: Session,
    subscriber: Subscriber,
    weeks: int,
    now: datetime,
    how: str,
    ip_address: str | None = None,
) -> bool:
    """Pause a (locked) subscriber for some weeks from now; return whether there was anything to pause.

    Digests that no worker has claimed yet are skipped; their releases come after the pause. Raises ValueError
    for a number of weeks that is not offered. Commits nothing.
    """
    if weeks not in WEEKS:
        raise ValueError(f"{weeks} weeks are not offered")
    active = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE, lock=True)
    if not active:
        return False
    subscriber.snoozed_until = now + timedelta(weeks=weeks)
    skip_unclaimed_digests(session, subscriber.id, now)
    note(
        session, subscriber.id, ConsentAct.SNOOZED, how, now,
        ip_address=ip_address, until=subscriber.snoozed_until.isoformat(),
    )  # fmt: skip
    return True


def is_paused(subscriber: Subscriber, now: datetime) -> bool:
    """Return whether a subscriber is paused."""
    return subscriber.snoozed_until is not None and subscriber.snoozed_until > now


def resume(
    session: Session,
    subscriber: Subscriber,
    catch_up: int,
    now: datetime,
    how: str,
    ip_address: str | None = None,
) -> bool:
    """End the pause of a (locked) subscriber; return whether they had one and still get a topic.

    They get the newest `catch_up` releases of each topic that they have not had. Older ones are dropped. The
    same is true for topics that they unsubscribed from meanwhile, if they undo that later. Commits nothing.
    """
    if subscriber.snoozed_until is None:
        return False
    subscriber.snoozed_until = None
    active = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE, lock=True)
    coverage.skip_ahead(session, subscriber.id, catch_up)
    if not active:  # unsubscribed meanwhile, so nothing resumes
        return False
    note(session, subscriber.id, ConsentAct.RESUMED, how, now, ip_address=ip_address)
    return True


def end_pauses(session: Session, catch_up: int, now: datetime, limit: int = AT_ONCE) -> int:
    """End up to `limit` pauses whose time has passed; return how many. Commits nothing."""
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
    return len(ended)


def skip_unclaimed_digests(session: Session, subscriber_id: int, now: datetime) -> int:
    """Skip one (locked) person's digests that no worker has claimed; return how many. Commits nothing.

    The releases that they held wait for a later issue. A digest that a worker has claimed is checked again
    before it is sent (messages/digests/recompose.py).
    """
    found = session.execute(
        select(Delivery.id, Rendition.key)
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .where(Delivery.subscriber_id == subscriber_id, Delivery.lane == Lane.BULK)
        .where(Delivery.state.in_(WAITING))
    )
    part = [(each, subscriber_id, key) for each, key in found]
    return end_unsent(session, part, DeliveryState.SKIPPED, now)
