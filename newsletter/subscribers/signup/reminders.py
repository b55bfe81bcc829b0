"""Send one reminder to people who signed up and have not confirmed. A setting turns this on."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, exists, func, literal_column, select
from sqlalchemy.orm import Session

from newsletter import suppression
from newsletter.models import Delivery, DeliveryState, Subscriber, Subscription, SubscriptionState
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.address_marks import may_answer_form
from newsletter.subscribers.signup.pending import send_confirmation
from newsletter.tokens import Tokens

# A subscriber with several requests gets one reminder, about the last one, and no other for this long. This
# holds over all newsletters, because another person may have typed the address.
BETWEEN = timedelta(days=30)


def remind(
    session: Session, tokens: Tokens, hours: int, pending_days: int, now: datetime, limit: int = 200
) -> int:
    """Enqueue a reminder for up to `limit` people; return how many were enqueued. Commits nothing.

    Each request gets at most one, `hours` after the relay accepted the last confirmation email. There is none
    for a subscriber with an active subscription, because somebody else may have typed the address. There is
    none for a suppressed or disowned address, or after `pending_days`.
    """
    enqueued, last = 0, 0
    while enqueued < limit:
        due = _due(now - timedelta(hours=hours), now - timedelta(days=pending_days), now - BETWEEN)
        batch = due.where(Subscriber.id > last).order_by(Subscriber.id).limit(limit)
        found = session.scalars(batch.with_for_update(of=Subscriber, skip_locked=True)).all()
        if not found:
            break
        for subscriber in found:
            last = subscriber.id
            enqueued += _remind(session, tokens, subscriber, now)
    return enqueued


def _due(asked_before: datetime, asked_after: datetime, reminded_after: datetime) -> Select[Subscriber]:
    theirs = Subscription.subscriber_id == Subscriber.id
    # A literal, not a parameter, so that the database can use the partial indexes.
    pending = (theirs, Subscription.state == literal_column("'pending'"))
    mail = Delivery.subscriber_id == Subscriber.id
    sent_at = func.coalesce(Delivery.settled_at, Delivery.created_at)
    return select(Subscriber).where(
        Subscriber.email_key.is_not(None),
        Subscriber.id.in_(
            select(Subscription.subscriber_id).where(
                Subscription.state == literal_column("'pending'"),
                Subscription.created_at <= asked_before,
                Subscription.created_at > asked_after,
            )
        ),
        ~exists().where(*pending, Subscription.created_at > asked_before),
        ~exists().where(theirs, Subscription.state == literal_column("'active'")),
        exists().where(mail, Delivery.template == "confirm", Delivery.state == DeliveryState.ACCEPTED),
        ~exists().where(mail, Delivery.template == "confirm", sent_at > asked_before),
        ~exists().where(mail, Delivery.bounced_at.is_not(None)),
        ~exists().where(mail, Delivery.template == "reminder", Delivery.created_at > reminded_after),
    )


def _remind(session: Session, tokens: Tokens, subscriber: Subscriber, now: datetime) -> bool:
    key = subscriber.email_key or ""
    if suppression.is_suppressed(session, tokens, key) or not may_answer_form(session, tokens, key, now):
        return False
    waiting = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.PENDING)
    if not waiting:
        return False
    last = max(waiting, key=lambda row: row.id)
    upto = last.id
    pending = subscription_rows.in_newsletter(waiting, last.newsletter_id)
    return send_confirmation(session, subscriber, pending, f"reminder:{upto}", now, template="reminder")
