"""Pending subscriptions, and the confirmation email that names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.models import (
    EndedReason,
    Frequency,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from newsletter.outbox.enqueue import enqueue_single, key_of_newsletter
from newsletter.subscribers import subscription_rows


def is_news(session: Session, subscriber_id: int, wanted: Mapping[int, Frequency]) -> bool:
    """Return whether a wanted topic is neither active nor pending with the wanted frequency."""
    live = subscription_rows.of_subscriber(
        session, subscriber_id, SubscriptionState.ACTIVE, SubscriptionState.PENDING
    )
    return not wanted.items() <= {(row.topic_id, row.frequency) for row in live}


def add_pending(session: Session, subscriber_id: int, wanted: Mapping[int, Frequency], now: datetime) -> None:
    """Add pending rows for the wanted topics that are neither active nor pending with that frequency.

    A row that is pending with another frequency ends, because the new request replaces it.
    """
    live = subscription_rows.of_subscriber(
        session, subscriber_id, SubscriptionState.ACTIVE, SubscriptionState.PENDING
    )
    active = {row.topic_id: row for row in live if row.state is SubscriptionState.ACTIVE}
    pending = {row.topic_id: row for row in live if row.state is SubscriptionState.PENDING}
    for topic_id, frequency in wanted.items():
        served = active.get(topic_id)
        asked = pending.get(topic_id)
        if asked is not None and asked.frequency is frequency:
            continue
        if asked is not None:
            subscription_rows.end(session, [asked], EndedReason.CHANGED, now)
        if served is None or served.frequency is not frequency:
            subscription_rows.ask_for(session, subscriber_id, topic_id, frequency, now)
    session.flush()


def send_confirmation(
    session: Session,
    subscriber: Subscriber,
    pending: Sequence[Subscription],
    purpose_key: str,
    now: datetime,
    *,
    template: str = "confirm",
) -> bool:
    """Enqueue the email that names these pending rows and has the link to confirm them.

    They are of one newsletter. `template` is "confirm" or "reminder". Return whether it is new in the outbox.
    """
    newsletter_id = pending[0].newsletter_id
    active = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE)
    return enqueue_single(
        session,
        subscriber_id=subscriber.id,
        template=template,
        context={
            "topics": [row.topic.name_in(subscriber.language) for row in pending],
            "upto": max(row.id for row in pending),
            "subscribed": any(row.newsletter_id == newsletter_id for row in active),
        },
        purpose_key=key_of_newsletter(purpose_key, newsletter_id),
        language=subscriber.language,
        now=now,
        newsletter_id=newsletter_id,
    )
