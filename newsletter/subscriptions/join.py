"""Two rows of one person become one, when a change of address shows that they are."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter import coverage
from newsletter.models import (
    AddressChange,
    ConsentAct,
    Delivery,
    DeliveryState,
    EndedReason,
    Rendition,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from newsletter.subscriptions import rows, snooze
from newsletter.subscriptions.consent import note


def join_readers(session: Session, other: Subscriber, survivor: Subscriber, now: datetime) -> bool:
    """Hand what `other` gets over to `survivor`, who takes that address; return whether there was any.

    Both are locked by the caller. Every confirmed topic of either is kept. For a topic of both, the
    survivor's frequency counts, whose page the wish came from, and the one that was served less far
    says where it goes on: nothing is lost then, and nothing repeated either, since selection leaves
    out what either row was sent (digest/select.py, sent_before). What `other` had only asked for
    ends, and so do its wishes to move. Its deliveries and its ledger stay with its row, which loses
    its address and points to the survivor, so that unsubscribe links of its mails still work.
    Commits nothing.
    """
    _wait_for_issues(session, other, survivor)
    states = (SubscriptionState.ACTIVE, SubscriptionState.PENDING)
    snooze.take_back(session, other.id, now)
    _put_back_leased(session, other.id)
    theirs = rows.of_subscriber(session, other.id, *states, lock=True)
    mine = {
        row.topic_id: row
        for row in rows.of_subscriber(session, survivor.id, SubscriptionState.ACTIVE, lock=True)
    }
    rows.end(session, theirs, EndedReason.MOVED, now)
    brought = [row for row in theirs if row.confirmed_at is not None]
    for row in brought:
        own = mine.get(row.topic_id)
        if own is not None:
            _go_on_from_the_lower(session, own, row, now)
        else:
            rows.follow(session, row, row.frequency, now).subscriber_id = survivor.id
    _end_wishes(session, other, now)
    other.email = other.email_key = None
    other.snoozed_until = None
    other.moved_to = survivor.id
    session.flush()
    # Those who were joined with the other one before: selection looks one step back, not two.
    session.execute(
        update(Subscriber)
        .where(Subscriber.moved_to == other.id)
        .values(moved_to=survivor.id)
        .execution_options(synchronize_session="fetch")
    )
    note(session, other.id, ConsentAct.MOVED, "joined", now, to=survivor.public_id)
    return bool(brought)


def _put_back_leased(session: Session, subscriber_id: int) -> None:
    """Put back what a worker holds for somebody: it comes back unsent if the address is gone by then."""
    held = (
        select(Rendition.key)
        .join(Delivery, Delivery.rendition_id == Rendition.id)
        .where(Delivery.subscriber_id == subscriber_id, Delivery.state == DeliveryState.LEASED)
    )
    coverage.put_back(session, [(subscriber_id, key) for key in session.scalars(held)])


def _wait_for_issues(session: Session, other: Subscriber, survivor: Subscriber) -> None:
    """Wait for an issue that is being prepared for either; it locks in this order too (digest/select.py)."""
    both = Subscription.subscriber_id.in_((other.id, survivor.id))
    active = select(Subscription.id).where(both, Subscription.state == SubscriptionState.ACTIVE)
    session.execute(active.order_by(Subscription.subscriber_id, Subscription.topic_id).with_for_update())


def _go_on_from_the_lower(session: Session, own: Subscription, brought: Subscription, now: datetime) -> None:
    if brought.covered_to >= own.covered_to:
        return
    rows.end(session, [own], EndedReason.CHANGED, now)
    after = rows.follow(session, own, own.frequency, now)
    after.covered_to = brought.covered_to
    after.started_sequence = min(own.started_sequence, brought.covered_to)
    session.flush()


def _end_wishes(session: Session, other: Subscriber, now: datetime) -> None:
    session.execute(
        update(AddressChange)
        .where(AddressChange.subscriber_id == other.id, AddressChange.settled_at.is_(None))
        .values(email=None, email_key=None, ip_address=None, settled_at=now)
        .execution_options(synchronize_session="fetch")
    )
