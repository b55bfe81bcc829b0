"""Pause a subscriber's emails until a day, and end pauses."""

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

# How long somebody may pause, in weeks.
WEEKS = (1, 4, 12)
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
    active = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE, lock=True)
    if not active:
        return False
    subscriber.snoozed_until = now + timedelta(weeks=weeks)
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
    is older is left out for good. That holds too for topics that they unsubscribed from meanwhile, if they
    undo that later.
    """
    if subscriber.snoozed_until is None:
        return False
    subscriber.snoozed_until = None
    active = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE, lock=True)
    coverage.skip_ahead(session, subscriber.id, catch_up)
    if not active:  # left meanwhile: nothing goes on
        return False
    note(session, subscriber.id, ConsentAct.RESUMED, how, now, ip_address=ip_address)
    return True


def end_pauses(session: Session, catch_up: int, now: datetime, limit: int = AT_ONCE) -> int:
    """End the pauses that are over; return how many, at most `limit`. Commits nothing."""
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


def take_back(session: Session, subscriber_id: int, now: datetime) -> int:
    """Skip the digests of one (locked) person that no worker has yet; return how many. Commits nothing.

    What they held waits for a later issue. A digest that a worker holds is looked at again before it is
    sent (messages/recompose.py).
    """
    found = session.execute(
        select(Delivery.id, Rendition.key)
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .where(Delivery.subscriber_id == subscriber_id, Delivery.lane == Lane.BULK)
        .where(Delivery.state.in_(WAITING))
    )
    part = [(each, subscriber_id, key) for each, key in found]
    return end_unsent(session, part, DeliveryState.SKIPPED, now)
