"""Unsubscribe by button, by one click in the mail program (RFC 8058) or by email, and undo it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

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
from newsletter.outbox.enqueue import enqueue_single, key_of_newsletter
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.consent.ledger import note_topics
from newsletter.subscribers.link import LATELY, LinkFault, emailed_lately, find_link_subscriber, reaches_today
from newsletter.tokens import Purpose, Tokens

# Ways that also work for somebody who got a forwarded email, so the subscriber gets an email about them.
FORWARDABLE = frozenset({"button", "preferences"})


@dataclass(frozen=True)
class UnsubscriptionTopic:
    """A topic that a subscriber gets or has requested. `carried`: the email had releases of it."""

    slug: str
    name: str
    carried: bool
    newsletter_id: int


@dataclass(frozen=True)
class Unsubscription:
    """The person, the delivery and the topics of an unsubscribe link.

    `newsletter_id`: what the link ends, None for everything. `topics` are those of all newsletters.
    `trusted`: the link was sent to the present address. Only then may its page link to other pages.
    `ended_at`: when the last subscription ended that the link could end, None if one is active or pending.
    """

    public_id: str
    email: str
    email_key: str
    delivery_id: int | None
    newsletter_id: int | None
    topics: tuple[UnsubscriptionTopic, ...]
    trusted: bool = True
    snoozed_until: datetime | None = None
    ended_at: datetime | None = None

    @property
    def newsletters(self) -> tuple[int, ...]:
        """The newsletters that the subscriber gets or has requested."""
        return tuple(dict.fromkeys(topic.newsletter_id for topic in self.topics))


@dataclass(frozen=True)
class Unsubscribed:
    """The result of unsubscribing at `ended_at`: the numbers of `ended` and `remaining` subscriptions.

    `ended` counts only what this request ended, and `topics` has the names of their topics. `newsletters` are
    those of which nothing is left.
    """

    public_id: str
    email: str
    email_key: str
    ended_at: datetime | None
    ended: int
    remaining: int = 0
    topics: tuple[str, ...] = ()
    trusted: bool = True
    newsletters: tuple[int, ...] = ()


def read_unsubscription(
    session: Session, tokens: Tokens, token: str, now: datetime
) -> Unsubscription | LinkFault:
    """Return the subscriber of a link and their topics, or why it cannot be used; changes nothing."""
    payload = read_unsubscribe_token(tokens, token, now)
    if isinstance(payload, LinkFault):
        return payload
    public_id, delivery_id, newsletter_id, made_at = payload
    subscriber = find_link_subscriber(session, tokens, public_id, None)
    if isinstance(subscriber, LinkFault):
        return subscriber
    live = subscription_rows.of_subscriber(
        session, subscriber.id, SubscriptionState.ACTIVE, SubscriptionState.PENDING
    )
    meant = subscription_rows.in_newsletter(live, newsletter_id)
    carried = _topics_carried(session, delivery_id)
    return Unsubscription(
        subscriber.public_id,
        subscriber.email or "",
        subscriber.email_key or "",
        delivery_id,
        newsletter_id,
        tuple(
            {
                row.topic_id: UnsubscriptionTopic(
                    row.topic.slug,
                    row.topic.name_in(subscriber.language),
                    row.topic_id in carried,
                    row.newsletter_id,
                )
                for row in live
            }.values()
        ),
        reaches_today(session, subscriber, made_at, delivery_id),
        subscriber.snoozed_until if subscriber.snoozed_until and subscriber.snoozed_until > now else None,
        None if meant else _left_at(session, subscriber, newsletter_id),
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


def make_leave_token(tokens: Tokens, preferences_token: str, public_id: str, now: datetime) -> str:
    """Return the token of the unsubscribe link on a preferences page.

    If the page was opened by a link that was emailed on request lately, the token says when.
    """
    emailed_at = emailed_lately(tokens, preferences_token, now)
    since = [] if emailed_at is None else [None, int(emailed_at.timestamp())]
    return tokens.make(Purpose.UNSUBSCRIBE, [public_id, None, *since], now)


def _was_emailed_lately(tokens: Tokens, token: str, now: datetime) -> bool:
    """Return whether the page with this unsubscribe link was opened by a link from the last hour."""
    match tokens.read(Purpose.UNSUBSCRIBE, token, now):
        case [_, _, _, int(emailed_at)]:
            return now - datetime.fromtimestamp(emailed_at, UTC) <= LATELY
        case _:
            return False


def read_unsubscribe_token(
    tokens: Tokens, token: str, now: datetime
) -> tuple[str, int | None, int | None, datetime] | LinkFault:
    """Return the subscriber's public id, the delivery with the link, its newsletter, and when it was made.

    A link without a newsletter means everything: there was one newsletter when it was made, or it is from a
    preferences page. It never expires.
    """
    try:
        made_at, payload = tokens.open(Purpose.UNSUBSCRIBE, token, now)
    except (TokenExpired, TokenInvalid):
        return LinkFault.DAMAGED
    match payload:
        case [str(public_id), int() | None as delivery_id]:
            return public_id, delivery_id, None, made_at
        case [str(public_id), None, None, int()]:
            return public_id, None, None, made_at
        case [str(public_id), int() | None as delivery_id, int(newsletter_id)]:
            return public_id, delivery_id, newsletter_id, made_at
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
    newsletter_id: int | None = None,
    only: Collection[str] | None = None,
    notice: bool = False,
    trusted: bool = True,
) -> Unsubscribed | LinkFault:
    """End all active and pending subscriptions of a subscriber.

    With `newsletter_id`, end those of one newsletter. With `only`, end those of some topics (slugs). A
    repeated call changes nothing more. `how` is for the ledger: "button", "one-click", "mail", "preferences".
    With `notice`, the subscriber gets an email about it, because the person who used the link may have got
    it in a forwarded email. There is no email for "one-click" and "mail": the subscriber did that in their
    own mail program and wants no answer. Commits nothing.
    """
    subscriber = find_link_subscriber(session, tokens, public_id, None, lock=True)
    if isinstance(subscriber, LinkFault):
        return subscriber
    leaving = _Leaving(delivery_id, newsletter_id, only, trusted)
    return _unsubscribe(session, subscriber, leaving, now, how, ip_address, notice)


def unsubscribe_by_link(
    session: Session,
    tokens: Tokens,
    token: str,
    now: datetime,
    how: str,
    ip_address: str | None = None,
    *,
    everything: bool = False,
    newsletter_id: int | None = None,
    only: Collection[str] | None = None,
    notice: bool = False,
) -> Unsubscribed | LinkFault:
    """Do what `unsubscribe` does, for the subscriber of an unsubscribe link.

    Without `everything` and `newsletter_id`, end what the link means: its newsletter, or everything. If the
    link is from a preferences page that was opened by a link emailed on request within the last hour, there
    is no `notice`. Commits nothing.
    """
    payload = read_unsubscribe_token(tokens, token, now)
    if isinstance(payload, LinkFault):
        return payload
    public_id, delivery_id, meant, made_at = payload
    subscriber = find_link_subscriber(session, tokens, public_id, None, lock=True)
    if isinstance(subscriber, LinkFault):
        return subscriber
    trusted = reaches_today(session, subscriber, made_at, delivery_id)
    ending = None if everything else newsletter_id or meant
    leaving = _Leaving(delivery_id, ending, only, trusted)
    notice = notice and not _was_emailed_lately(tokens, token, now)
    return _unsubscribe(session, subscriber, leaving, now, how, ip_address, notice)


class _Leaving(NamedTuple):
    """What to end, by which email, and whether its link was sent to the present address."""

    delivery_id: int | None
    newsletter_id: int | None
    only: Collection[str] | None
    trusted: bool


def _unsubscribe(
    session: Session,
    subscriber: Subscriber,
    wish: _Leaving,
    now: datetime,
    how: str,
    ip_address: str | None,
    notice: bool,
) -> Unsubscribed:
    live = subscription_rows.of_subscriber(
        session, subscriber.id, SubscriptionState.ACTIVE, SubscriptionState.PENDING, lock=True
    )
    leaving = [
        row
        for row in subscription_rows.in_newsletter(live, wish.newsletter_id)
        if wish.only is None or row.topic.slug in wish.only
    ]
    remaining = [row for row in live if row not in leaving]
    if leaving:
        subscription_rows.end(session, leaving, EndedReason.UNSUBSCRIBED, now, wish.delivery_id)
        note_topics(
            session, subscriber.id, ConsentAct.LEFT, how, now, subscription_rows.topics_of(leaving),
            ip_address=ip_address,
        )  # fmt: skip
    if notice and how in FORWARDABLE:
        tell_leaver(session, subscriber, leaving, remaining, now)
    ended_at = now if leaving else _left_at(session, subscriber, wish.newsletter_id)
    return Unsubscribed(
        subscriber.public_id,
        subscriber.email or "",
        subscriber.email_key or "",
        ended_at,
        len(leaving),
        len(remaining),
        topic_names(leaving, subscriber.language),
        wish.trusted,
        newsletters_left(leaving, remaining, wish.newsletter_id),
    )


def tell_leaver(
    session: Session,
    subscriber: Subscriber,
    ended: Sequence[Subscription],
    remaining: Sequence[Subscription],
    now: datetime,
) -> None:
    """Enqueue an email that says what was `ended`, unless nothing of that was confirmed.

    There is at most one a day for each newsletter. What ended in several newsletters at once is one email.
    """
    if not any(row.confirmed_at for row in ended):
        return
    newsletters = {row.newsletter_id for row in ended}
    speaker = min(newsletters)
    enqueue_single(
        session,
        subscriber_id=subscriber.id,
        template="left",
        context={
            "topics": list(topic_names(ended, subscriber.language)),
            "left_at": moment_text(now),
            "everything": not any(row.newsletter_id in newsletters for row in remaining),
            "several": len(newsletters) > 1,
        },
        purpose_key=key_of_newsletter(f"left:{now.astimezone(UTC).date()}", speaker),
        language=subscriber.language,
        now=now,
        newsletter_id=speaker,
    )


def topic_names(rows: Sequence[Subscription], language: str) -> tuple[str, ...]:
    """Return the names of the topics of these subscriptions in a language, each once."""
    return tuple(dict.fromkeys(row.topic.name_in(language) for row in rows))


def newsletters_left(
    ended: Sequence[Subscription], remaining: Sequence[Subscription], meant: int | None
) -> tuple[int, ...]:
    """Return the newsletters to which no subscription remains after this unsubscribe.

    `meant` is the newsletter that the link names. It counts even if no subscription to it ended now.
    """
    touched = dict.fromkeys([*([meant] if meant else []), *(row.newsletter_id for row in ended)])
    still = {row.newsletter_id for row in remaining}
    return tuple(number for number in touched if number not in still)


def _left_at(session: Session, subscriber: Subscriber, newsletter_id: int | None) -> datetime | None:
    last = select(func.max(Subscription.ended_at)).where(
        Subscription.subscriber_id == subscriber.id,
        Subscription.ended_reason == EndedReason.UNSUBSCRIBED,
    )
    if newsletter_id is not None:
        last = last.where(Subscription.newsletter_id == newsletter_id)
    return session.scalar(last)


def moment_text(at: datetime) -> str:
    """Return when subscriptions ended, as an undo link names it."""
    return at.astimezone(UTC).isoformat()
