"""Unsubscribe by button, by one click in the mail program (RFC 8058) or by email, and undo it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.coverage import UNDO_FOR
from newsletter.errors import TokenExpired, TokenInvalid
from newsletter.models import (
    ConsentAct,
    Delivery,
    EndedReason,
    Rendition,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from newsletter.models.rendition_key import read_key
from newsletter.outbox.enqueue import enqueue_single
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.consent.ledger import note
from newsletter.subscribers.link import LinkFault, find_link_subscriber, reaches_today, read_payload
from newsletter.tokens import Purpose, Tokens

# Ways that also work for somebody who got a forwarded email, so the subscriber gets an email about them.
FORWARDABLE = frozenset({"button", "preferences"})


@dataclass(frozen=True)
class LeaverTopic:
    """A topic that a subscriber gets or has requested. `carried`: the email had releases of it."""

    slug: str
    name: str
    carried: bool


@dataclass(frozen=True)
class Leaver:
    """The subscriber of an unsubscribe link, and the delivery that carried it.

    `trusted`: the link was sent to the present address. Only then may its page link to other pages.
    `ended_at`: when the last subscription ended, None if one is active or pending.
    """

    public_id: str
    email: str
    email_key: str
    delivery_id: int | None
    topics: tuple[LeaverTopic, ...]
    trusted: bool = True
    snoozed_until: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Left:
    """The result of unsubscribing at `ended_at`: the numbers of `ended` and `remaining` subscriptions.

    `ended` counts only what this request ended, and `topics` has the names of their topics.
    """

    public_id: str
    email: str
    email_key: str
    ended_at: datetime | None
    ended: int
    remaining: int = 0
    topics: tuple[str, ...] = ()
    trusted: bool = True


@dataclass(frozen=True)
class Returned:
    """The result of undoing an unsubscription; `restored` counts what this request restored.

    `trusted`: the link was sent to the present address.
    """

    public_id: str
    email_key: str
    restored: int
    trusted: bool = True


def read_unsubscription(session: Session, tokens: Tokens, token: str, now: datetime) -> Leaver | LinkFault:
    """Return the subscriber of a link and their topics, or why it cannot be used; changes nothing."""
    payload = read_unsubscribe_token(tokens, token, now)
    if isinstance(payload, LinkFault):
        return payload
    public_id, delivery_id, made_at = payload
    subscriber = find_link_subscriber(session, tokens, public_id, None)
    if isinstance(subscriber, LinkFault):
        return subscriber
    live = subscription_rows.of_subscriber(
        session, subscriber.id, SubscriptionState.ACTIVE, SubscriptionState.PENDING
    )
    carried = _topics_carried(session, delivery_id)
    return Leaver(
        subscriber.public_id,
        subscriber.email or "",
        subscriber.email_key or "",
        delivery_id,
        tuple(
            {
                row.topic_id: LeaverTopic(
                    row.topic.slug, row.topic.name_in(subscriber.language), row.topic_id in carried
                )
                for row in live
            }.values()
        ),
        reaches_today(session, subscriber, made_at, delivery_id),
        subscriber.snoozed_until if subscriber.snoozed_until and subscriber.snoozed_until > now else None,
        None if live else _left_at(session, subscriber),
    )


def _topics_carried(session: Session, delivery_id: int | None) -> set[int]:
    """Return the topics from which a digest had releases."""
    if delivery_id is None:
        return set()
    key = session.scalar(
        select(Rendition.key)
        .join(Delivery, Delivery.rendition_id == Rendition.id)
        .where(Delivery.id == delivery_id)
    )
    return {part.topic_id for part in read_key(key)} if key else set()


def read_unsubscribe_token(
    tokens: Tokens, token: str, now: datetime
) -> tuple[str, int | None, datetime] | LinkFault:
    """Return the subscriber's public id, the delivery with the link, and when the link was made.

    It never expires.
    """
    try:
        made_at, payload = tokens.open(Purpose.UNSUBSCRIBE, token, now)
    except (TokenExpired, TokenInvalid):
        return LinkFault.DAMAGED
    match payload:
        case [str(public_id), int() | None as delivery_id]:
            return public_id, delivery_id, made_at
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
    *,
    only: Collection[str] | None = None,
    notice: bool = False,
    trusted: bool = True,
) -> Left | LinkFault:
    """End all active and pending subscriptions of a subscriber, or `only` those of some topics (slugs).

    A repeated call changes nothing more. `how` is for the ledger: "button", "one-click", "mail",
    "preferences". With `notice`, the subscriber gets an email about it, at most one a day. Somebody to whom
    they forwarded an email may have used its link. There is no email for "one-click" and "mail": the
    subscriber did that in their own mail program and wants no answer. Commits nothing.
    """
    subscriber = find_link_subscriber(session, tokens, public_id, None, lock=True)
    if isinstance(subscriber, LinkFault):
        return subscriber
    return _unsubscribe(session, subscriber, delivery_id, now, how, ip_address, only, notice, trusted)


def unsubscribe_by_link(
    session: Session,
    tokens: Tokens,
    token: str,
    now: datetime,
    how: str,
    ip_address: str | None = None,
    *,
    only: Collection[str] | None = None,
    notice: bool = False,
) -> Left | LinkFault:
    """Do what `unsubscribe` does, for the subscriber of an unsubscribe link. Commits nothing."""
    payload = read_unsubscribe_token(tokens, token, now)
    if isinstance(payload, LinkFault):
        return payload
    public_id, delivery_id, made_at = payload
    subscriber = find_link_subscriber(session, tokens, public_id, None, lock=True)
    if isinstance(subscriber, LinkFault):
        return subscriber
    trusted = reaches_today(session, subscriber, made_at, delivery_id)
    return _unsubscribe(session, subscriber, delivery_id, now, how, ip_address, only, notice, trusted)


def _unsubscribe(
    session: Session,
    subscriber: Subscriber,
    delivery_id: int | None,
    now: datetime,
    how: str,
    ip_address: str | None,
    only: Collection[str] | None,
    notice: bool,
    trusted: bool,
) -> Left:
    live = subscription_rows.of_subscriber(
        session, subscriber.id, SubscriptionState.ACTIVE, SubscriptionState.PENDING, lock=True
    )
    leaving = [row for row in live if only is None or row.topic.slug in only]
    names = tuple(dict.fromkeys(row.topic.name_in(subscriber.language) for row in leaving))
    was_served = any(row.state is SubscriptionState.ACTIVE for row in leaving)
    if leaving:
        topics = {row.topic.slug: row.frequency.value for row in leaving}
        subscription_rows.end(session, leaving, EndedReason.UNSUBSCRIBED, now, delivery_id)
        note(session, subscriber.id, ConsentAct.LEFT, how, now, ip_address=ip_address, topics=topics)
    if was_served and notice and how in FORWARDABLE:
        enqueue_single(
            session,
            subscriber_id=subscriber.id,
            template="left",
            context={"topics": list(names), "left_at": _moment(now), "everything": len(leaving) == len(live)},
            purpose_key=f"left:{now.astimezone(UTC).date()}",
            language=subscriber.language,
            now=now,
            newsletter_id=leaving[0].topic.newsletter_id,
        )
    ended_at = now if leaving else _left_at(session, subscriber)
    return Left(
        subscriber.public_id,
        subscriber.email or "",
        subscriber.email_key or "",
        ended_at,
        len(leaving),
        len(live) - len(leaving),
        names,
        trusted,
    )


def _left_at(session: Session, subscriber: Subscriber) -> datetime | None:
    last = select(func.max(Subscription.ended_at)).where(
        Subscription.subscriber_id == subscriber.id,
        Subscription.ended_reason == EndedReason.UNSUBSCRIBED,
    )
    return session.scalar(last)


def make_undo_token(
    tokens: Tokens, public_id: str, ended_at: datetime, now: datetime, email_key: str | None = None
) -> str:
    """Return the token that restores the subscriptions that ended at exactly `ended_at`; it works for a week.

    Pass `email_key` only if the owner of that address gets the token. Then its page also links to their
    preferences.
    """
    proof = [tokens.fingerprint(email_key)] if email_key else []
    return tokens.make(Purpose.UNDO, [public_id, _moment(ended_at), *proof], now)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


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


def describe_leaving(session: Session, found: Undoable) -> Left:
    """Return the unsubscription that an undo link names, in the form that the page shows."""
    subscriber = found.subscriber
    live = subscription_rows.of_subscriber(
        session, subscriber.id, SubscriptionState.ACTIVE, SubscriptionState.PENDING
    )
    ended = [
        row.topic.name_in(subscriber.language)
        for row in subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.ENDED)
        if row.ended_at == found.ended_at and row.ended_reason is EndedReason.UNSUBSCRIBED
    ]
    return Left(
        subscriber.public_id,
        subscriber.email or "",
        subscriber.email_key or "",
        found.ended_at,
        0,
        len(live),
        tuple(dict.fromkeys(ended)),
        found.trusted,
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
        note(
            session, subscriber.id, ConsentAct.RETURNED, how, now,
            ip_address=ip_address,
            topics={row.topic.slug: row.frequency.value for row in brought_back},
        )  # fmt: skip
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
