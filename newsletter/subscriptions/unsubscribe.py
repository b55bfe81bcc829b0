"""Leaving: by the button, by a mailbox program's one click (RFC 8058) or by mail; and undoing it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.errors import TokenExpired, TokenInvalid
from newsletter.models import (
    ConsentAct,
    EndedReason,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from newsletter.subscriptions import rows
from newsletter.subscriptions.bearer import LinkFault, find_bearer
from newsletter.subscriptions.consent import note
from newsletter.tokens import Purpose, Tokens


@dataclass(frozen=True)
class Leaver:
    """Who an unsubscribe link was made for, and the delivery that carried it."""

    public_id: str
    email: str
    email_key: str
    delivery_id: int | None
    topics: tuple[str, ...]


@dataclass(frozen=True)
class Left:
    """Somebody who is off the list since `ended_at`; `ended` counts what this very act ended."""

    public_id: str
    email: str
    ended_at: datetime | None
    ended: int


@dataclass(frozen=True)
class Returned:
    """Somebody who undid their leaving; `restored` counts what this very act brought back."""

    public_id: str
    email_key: str
    restored: int


def read_unsubscription(session: Session, tokens: Tokens, token: str, now: datetime) -> Leaver | LinkFault:
    """Return who would leave which topics, or why the link cannot be used; changes nothing."""
    payload = read_unsubscribe_token(tokens, token, now)
    if isinstance(payload, LinkFault):
        return payload
    public_id, delivery_id = payload
    subscriber = find_bearer(session, tokens, public_id, None)
    if isinstance(subscriber, LinkFault):
        return subscriber
    live = rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE, SubscriptionState.PENDING)
    names = dict.fromkeys(row.topic.name for row in live)
    return Leaver(
        subscriber.public_id, subscriber.email or "", subscriber.email_key or "", delivery_id, tuple(names)
    )


def read_unsubscribe_token(tokens: Tokens, token: str, now: datetime) -> tuple[str, int | None] | LinkFault:
    """Return the reader's public id and the delivery that carried the link. Such links never expire."""
    try:
        payload = tokens.read(Purpose.UNSUBSCRIBE, token, now)
    except (TokenExpired, TokenInvalid):
        return LinkFault.DAMAGED
    match payload:
        case [str(public_id), int() | None as delivery_id]:
            return public_id, delivery_id
        case _:
            return LinkFault.DAMAGED


def unsubscribe(
    session: Session,
    tokens: Tokens,
    public_id: str,
    delivery_id: int | None,
    now: datetime,
    how: str,
    ip_address: str | None = None,
) -> Left | LinkFault:
    """End everything a reader gets or has asked for. Doing it twice changes nothing more.

    `how` is for the ledger: "button", "one-click", "mail", "preferences".
    """
    subscriber = find_bearer(session, tokens, public_id, None, lock=True)
    if isinstance(subscriber, LinkFault):
        return subscriber
    live = rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE, SubscriptionState.PENDING)
    if live:
        topics = {row.topic.slug: row.frequency.value for row in live}
        rows.end(session, live, EndedReason.UNSUBSCRIBED, now, delivery_id)
        note(session, subscriber.id, ConsentAct.LEFT, how, now, ip_address=ip_address, topics=topics)
    ended_at = now if live else _left_at(session, subscriber)
    return Left(subscriber.public_id, subscriber.email or "", ended_at, len(live))


def left_at(session: Session, public_id: str) -> datetime | None:
    """Return when this reader left everything, or None while something is active or pending."""
    subscriber = session.scalars(select(Subscriber).where(Subscriber.public_id == public_id)).one_or_none()
    if subscriber is None or rows.of_subscriber(
        session, subscriber.id, SubscriptionState.ACTIVE, SubscriptionState.PENDING
    ):
        return None
    return _left_at(session, subscriber)


def _left_at(session: Session, subscriber: Subscriber) -> datetime | None:
    last = select(func.max(Subscription.ended_at)).where(
        Subscription.subscriber_id == subscriber.id,
        Subscription.ended_reason == EndedReason.UNSUBSCRIBED,
    )
    return session.scalar(last)


def make_undo_token(tokens: Tokens, public_id: str, ended_at: datetime, now: datetime) -> str:
    """Return the token that brings back what ended at that very moment; it works for a day."""
    return tokens.make(Purpose.UNDO, [public_id, ended_at.astimezone(UTC).isoformat()], now)


def undo(
    session: Session,
    tokens: Tokens,
    token: str,
    now: datetime,
    *,
    ip_address: str | None = None,
    how: str = "button",
) -> Returned | LinkFault:
    """Bring back the confirmed subscriptions that one leaving ended, each where it was.

    What was pending stays ended: its confirmation was never given. Doing it twice changes
    nothing more, and topics taken up again meanwhile are left as they are.
    """
    try:
        payload = tokens.read(Purpose.UNDO, token, now)
    except TokenExpired:
        return LinkFault.EXPIRED
    except TokenInvalid:
        return LinkFault.DAMAGED
    match payload:
        case [str(public_id), str(moment)]:
            subscriber = find_bearer(session, tokens, public_id, None, lock=True)
        case _:
            return LinkFault.DAMAGED
    if isinstance(subscriber, LinkFault):
        return subscriber
    ended_at = datetime.fromisoformat(moment)
    brought_back = _bring_back(session, subscriber, ended_at, now)
    if brought_back:
        note(
            session, subscriber.id, ConsentAct.RETURNED, how, now,
            ip_address=ip_address,
            topics={row.topic.slug: row.frequency.value for row in brought_back},
        )  # fmt: skip
    return Returned(subscriber.public_id, subscriber.email_key or "", len(brought_back))


def _bring_back(
    session: Session, subscriber: Subscriber, ended_at: datetime, now: datetime
) -> list[Subscription]:
    served = {row.topic_id for row in rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE)}
    ended = [
        row
        for row in rows.of_subscriber(session, subscriber.id, SubscriptionState.ENDED)
        if row.ended_at == ended_at
        and row.ended_reason is EndedReason.UNSUBSCRIBED
        and row.confirmed_at is not None
        and row.topic_id not in served
    ]
    back = [rows.follow(session, row, row.frequency, now) for row in ended]
    session.flush()
    return back
