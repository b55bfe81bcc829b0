"""Undo an unsubscription by a link that works for a week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.coverage import UNDO_FOR
from newsletter.models import ConsentAct, EndedReason, Subscriber, Subscription, SubscriptionState
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.consent.ledger import note_topics
from newsletter.subscribers.leaving.unsubscribe import (
    Unsubscribed,
    moment_text,
    newsletters_left,
    topic_names,
)
from newsletter.subscribers.link import LinkFault, find_link_subscriber, read_payload
from newsletter.tokens import Purpose, Tokens


@dataclass(frozen=True)
class Returned:
    """The result of undoing an unsubscription; `restored` counts what this request restored.

    `trusted`: the link was sent to the present address.
    """

    public_id: str
    email_key: str
    restored: int
    trusted: bool = True


def make_undo_token(
    tokens: Tokens, public_id: str, ended_at: datetime, now: datetime, email_key: str | None = None
) -> str:
    """Return the token that restores the subscriptions that ended at exactly `ended_at`; it works for a week.

    Pass `email_key` only if the owner of that address gets the token. Then its page also links to their
    preferences.
    """
    proof = [tokens.fingerprint(email_key)] if email_key else []
    return tokens.make(Purpose.UNDO, [public_id, moment_text(ended_at), *proof], now)


@dataclass(frozen=True)
class Undoable:
    """The unsubscription that an undo link names. `trusted`: the link was sent to the present address."""

    subscriber: Subscriber
    ended_at: datetime
    trusted: bool


def read_undo(
    session: Session, tokens: Tokens, token: str, now: datetime, *, lock: bool = False
) -> Undoable | LinkFault:
    """Return the unsubscription that a link would undo, or why it cannot be used; changes nothing."""
    match read_payload(tokens, Purpose.UNDO, token, now):
        case [str(public_id), str(moment), *proof]:
            subscriber = find_link_subscriber(session, tokens, public_id, None, lock=lock)
        case _:
            return LinkFault.DAMAGED
    if isinstance(subscriber, LinkFault):
        return subscriber
    if now - datetime.fromisoformat(moment) > UNDO_FOR:
        return LinkFault.EXPIRED
    trusted = proof == [tokens.fingerprint(subscriber.email_key or "")]
    return Undoable(subscriber, datetime.fromisoformat(moment), trusted)


def describe_leaving(session: Session, found: Undoable) -> Unsubscribed:
    """Return the unsubscription that an undo link names, in the form that the page shows."""
    subscriber = found.subscriber
    live = subscription_rows.of_subscriber(
        session, subscriber.id, SubscriptionState.ACTIVE, SubscriptionState.PENDING
    )
    ended = [
        row
        for row in subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.ENDED)
        if row.ended_at == found.ended_at and row.ended_reason is EndedReason.UNSUBSCRIBED
    ]
    return Unsubscribed(
        subscriber.public_id,
        subscriber.email or "",
        subscriber.email_key or "",
        found.ended_at,
        0,
        len(live),
        topic_names(ended, subscriber.language),
        found.trusted,
        newsletters_left(ended, live, None),
    )


def undo(
    session: Session,
    tokens: Tokens,
    token: str,
    now: datetime,
    *,
    ip_address: str | None = None,
    how: str = "button",
) -> Returned | LinkFault:
    """Restore the confirmed subscriptions that one unsubscription ended, each with its old marks.

    Pending ones stay ended, because nobody confirmed them. A repeated call changes nothing more. Topics that
    the person subscribed to again meanwhile stay as they are.
    """
    found = read_undo(session, tokens, token, now, lock=True)
    if isinstance(found, LinkFault):
        return found
    subscriber, ended_at = found.subscriber, found.ended_at
    brought_back = _bring_back(session, subscriber, ended_at, now)
    if brought_back:
        chosen = subscription_rows.topics_of(brought_back)
        note_topics(session, subscriber.id, ConsentAct.RETURNED, how, now, chosen, ip_address=ip_address)
    return Returned(subscriber.public_id, subscriber.email_key or "", len(brought_back), found.trusted)


def _bring_back(
    session: Session, subscriber: Subscriber, ended_at: datetime, now: datetime
) -> list[Subscription]:
    active = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE, lock=True)
    served = {row.topic_id for row in active}
    ended = [
        row
        for row in subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.ENDED, lock=True)
        if row.ended_at == ended_at
        and row.ended_reason is EndedReason.UNSUBSCRIBED
        and row.confirmed_at is not None
        and row.topic_id not in served
    ]
    back = [subscription_rows.follow(session, row, row.frequency, now) for row in ended]
    session.flush()
    return back
