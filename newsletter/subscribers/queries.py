"""Queries about subscribers: pages of the list, everything about one, counts by state."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, case, exists, func, select, text
from sqlalchemy.orm import Session, joinedload

from newsletter import suppression
from newsletter.address_rules.rules import stopping_patterns
from newsletter.errors import NotFound
from newsletter.models import (
    ConsentAct,
    ConsentEntry,
    Delivery,
    DeliveryState,
    EndedReason,
    Frequency,
    Issue,
    Subscriber,
    Subscription,
    SubscriptionState,
    SuppressionReason,
    Topic,
)
from newsletter.models.paging import LAST_PAGE, Page
from newsletter.models.release_languages import read_choice
from newsletter.tokens import Tokens

LATEST_DELIVERIES = 50


class SubscriberState(enum.StrEnum):
    """The state of a person, from their subscriptions.

    ACTIVE has an active subscription. PENDING has only unconfirmed ones. ENDED unsubscribed or never
    confirmed; retention may have emptied the address. ERASED was erased.
    """

    ACTIVE = "active"
    PENDING = "pending"
    ENDED = "ended"
    ERASED = "erased"


@dataclass(frozen=True)
class SubscriberTopic:
    """A topic that a subscriber gets or has requested."""

    slug: str
    name: str
    frequency: Frequency
    state: SubscriptionState


@dataclass(frozen=True)
class SubscriberRow:
    """One line in the list of subscribers.

    `email` is None if the person was erased, or if retention emptied the address. It is also None if an
    earlier version of this program merged the row into another one.
    """

    public_id: str
    email: str | None
    state: SubscriberState
    language: str
    time_zone: str
    created_at: datetime
    confirmed_at: datetime | None
    erased_at: datetime | None
    emptied_at: datetime | None
    label: str
    topics: tuple[SubscriberTopic, ...]
    release_languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class PastSubscription:
    """One row of a subscriber's history, active or ended."""

    newsletter_id: int
    topic: str
    frequency: Frequency
    state: SubscriptionState
    created_at: datetime
    confirmed_at: datetime | None
    ended_at: datetime | None
    ended_reason: str | None


@dataclass(frozen=True)
class LedgerLine:
    """One entry of the consent ledger."""

    at: datetime
    act: ConsentAct
    how: str
    wording_version: str
    wording_hash: str
    ip_address: str | None
    detail: dict[str, Any]


@dataclass(frozen=True)
class SubscriberEmail:
    """One email to this subscriber: a digest (with `issue_public_id`) or a single email (with `template`)."""

    id: int
    title: str
    issue_public_id: str | None
    template: str | None
    state: DeliveryState
    attempt: int
    created_at: datetime
    settled_at: datetime | None
    reply_code: int | None
    status: str | None
    reply_text: str | None


@dataclass(frozen=True)
class Suppressed:
    """Why and since when an address is suppressed."""

    reason: SuppressionReason
    since: datetime


@dataclass(frozen=True)
class SubscriberDetail:
    """Everything that the admin page of one subscriber shows. Entries with a time are newest first.

    `stopped_by` are the patterns of rules that stop all emails to the address.
    """

    subscriber: SubscriberRow
    suppressed: Suppressed | None
    stopped_by: tuple[str, ...]
    subscriptions: tuple[PastSubscription, ...]
    ledger: tuple[LedgerLine, ...]
    deliveries: tuple[SubscriberEmail, ...]


def _has(state: SubscriptionState) -> ColumnElement[bool]:
    return exists().where(Subscription.subscriber_id == Subscriber.id, Subscription.state == state)


_subscriber_state: ColumnElement[str] = case(
    (Subscriber.erased_at.is_not(None), SubscriberState.ERASED.value),
    (_has(SubscriptionState.ACTIVE), SubscriberState.ACTIVE.value),
    (_has(SubscriptionState.PENDING), SubscriberState.PENDING.value),
    else_=SubscriberState.ENDED.value,
)


def list_subscribers(
    session: Session, *, search: str = "", state: str = "", page: int = 1, per_page: int = 50
) -> Page[SubscriberRow]:
    """Return one page of the subscribers whose address contains `search` and who are in `state`.

    The newest is first. An empty `search` does not filter, nor does a `state` that is not a SubscriberState.
    """
    wanted: list[ColumnElement[bool]] = []
    # PostgreSQL cannot store NUL, so no address has one.
    needle = search.strip().replace("\0", "").lower()
    if needle:
        wanted.append(Subscriber.email_key.contains(needle, autoescape=True))
    if state in set(SubscriberState):
        wanted.append(_subscriber_state == state)
    total = session.scalar(select(func.count()).select_from(Subscriber).where(*wanted)) or 0
    page = min(max(page, 1), LAST_PAGE)
    these = (
        select(Subscriber, _subscriber_state)
        .where(*wanted)
        .order_by(Subscriber.id.desc())
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    return Page(_rows(session, session.execute(these).all()), page, per_page, total)


def _rows(session: Session, found: Sequence[Row[Subscriber, str]]) -> tuple[SubscriberRow, ...]:
    topics: dict[int, list[SubscriberTopic]] = {}
    live = (
        select(Subscription)
        .join(Subscription.topic)
        .options(joinedload(Subscription.topic))
        .where(
            Subscription.subscriber_id.in_([subscriber.id for subscriber, _ in found]),
            Subscription.state != SubscriptionState.ENDED,
        )
        .order_by(Topic.position, Topic.name, Subscription.id)
    )
    for row in session.scalars(live):
        topic = SubscriberTopic(row.topic.slug, row.topic.name, row.frequency, row.state)
        topics.setdefault(row.subscriber_id, []).append(topic)
    return tuple(
        SubscriberRow(
            subscriber.public_id,
            subscriber.email,
            SubscriberState(state),
            subscriber.language,
            subscriber.time_zone,
            subscriber.created_at,
            subscriber.confirmed_at,
            subscriber.erased_at,
            subscriber.emptied_at,
            subscriber.label,
            tuple(topics.get(subscriber.id, ())),
            tuple(sorted(read_choice(subscriber.release_languages))),
        )
        for subscriber, state in found
    )


def count_subscribers(session: Session) -> dict[SubscriberState, int]:
    """Return the number of people in each state, zero included."""
    counted = session.execute(
        select(_subscriber_state, func.count()).select_from(Subscriber).group_by(_subscriber_state)
    )
    return dict.fromkeys(SubscriberState, 0) | {SubscriberState(state): number for state, number in counted}


@dataclass(frozen=True)
class SubscriptionCounts:
    """How many subscribers have an active or a pending subscription, and how many came or went."""

    active: int
    pending: int
    confirmed: int
    unsubscribed: int


def count_changes(session: Session, since: datetime) -> SubscriptionCounts:
    """Count the subscribers; `confirmed` and `unsubscribed` (erased included) are those after `since`."""
    people = func.count(Subscription.subscriber_id.distinct())

    def count(*conditions: ColumnElement[bool]) -> int:
        return session.scalar(select(people).where(*conditions)) or 0

    return SubscriptionCounts(
        active=_count_active(session),
        pending=count(Subscription.state == SubscriptionState.PENDING),
        # With "" appended, SQLite does not use the index of states. Nearly all rows have this one.
        confirmed=count(
            Subscription.state.concat("") == SubscriptionState.ACTIVE.value, Subscription.confirmed_at > since
        ),
        unsubscribed=count(
            Subscription.ended_at > since,
            Subscription.ended_reason.in_((EndedReason.UNSUBSCRIBED, EndedReason.ERASED)),
        ),
    )


def _count_active(session: Session) -> int:
    """Return how many subscribers have an active subscription."""
    if session.get_bind().dialect.name != "sqlite":
        people = func.count(Subscription.subscriber_id.distinct())
        return session.scalar(select(people).where(Subscription.state == SubscriptionState.ACTIVE)) or 0
    # This index has the people in order. By itself, SQLite takes the index of states and sorts all its rows.
    people_in_order = text(
        "(SELECT DISTINCT subscriber_id FROM subscription INDEXED BY uq_subscription_active "
        "WHERE state = 'active')"
    )
    return session.scalar(select(func.count()).select_from(people_in_order)) or 0


def find_by_key(session: Session, email_key: str) -> Subscriber | None:
    """Return the subscriber with the canonical address `email_key`, if any."""
    return session.scalars(select(Subscriber).where(Subscriber.email_key == email_key)).one_or_none()


def find_by_public_id(session: Session, public_id: str) -> Subscriber | None:
    """Return the subscriber with this public id, if any."""
    return session.scalars(select(Subscriber).where(Subscriber.public_id == public_id)).one_or_none()


def subscriber_detail(session: Session, public_id: str, tokens: Tokens | None = None) -> SubscriberDetail:
    """Return everything about one subscriber. Raises NotFound.

    Suppressions are stored by keyed hash, so `suppressed` needs `tokens`, which have the key.
    """
    if "\0" in public_id:
        raise NotFound("no such subscriber")
    found = session.execute(
        select(Subscriber, _subscriber_state).where(Subscriber.public_id == public_id)
    ).all()
    if not found:
        raise NotFound("no such subscriber")
    subscriber = found[0][0]
    return SubscriberDetail(
        _rows(session, found)[0],
        _suppressed(session, subscriber, tokens),
        stopping_patterns(session, subscriber.email_key or ""),
        _history(session, subscriber.id),
        _ledger(session, subscriber.id),
        _deliveries(session, subscriber.id),
    )


def _suppressed(session: Session, subscriber: Subscriber, tokens: Tokens | None) -> Suppressed | None:
    if tokens is None or subscriber.email_key is None:
        return None
    found = suppression.find(session, tokens, subscriber.email_key)
    return Suppressed(found.reason, found.since) if found else None


def _history(session: Session, subscriber_id: int) -> tuple[PastSubscription, ...]:
    rows = (
        select(Subscription)
        .options(joinedload(Subscription.topic))
        .where(Subscription.subscriber_id == subscriber_id)
        .order_by(Subscription.id.desc())
    )
    return tuple(
        PastSubscription(
            row.newsletter_id,
            row.topic.name,
            row.frequency,
            row.state,
            row.created_at,
            row.confirmed_at,
            row.ended_at,
            row.ended_reason.value if row.ended_reason else None,
        )
        for row in session.scalars(rows)
    )


def _ledger(session: Session, subscriber_id: int) -> tuple[LedgerLine, ...]:
    entries = (
        select(ConsentEntry)
        .where(ConsentEntry.subscriber_id == subscriber_id)
        .order_by(ConsentEntry.id.desc())
    )
    return tuple(
        LedgerLine(
            entry.at,
            entry.act,
            entry.how,
            entry.wording_version,
            entry.wording_hash,
            entry.ip_address,
            entry.detail,
        )
        for entry in session.scalars(entries)
    )


def _deliveries(session: Session, subscriber_id: int) -> tuple[SubscriberEmail, ...]:
    mails = (
        select(Delivery, Issue.title, Issue.public_id)
        .outerjoin(Issue, Issue.id == Delivery.issue_id)
        .where(Delivery.subscriber_id == subscriber_id)
        .order_by(Delivery.id.desc())
        .limit(LATEST_DELIVERIES)
    )
    return tuple(
        SubscriberEmail(
            mail.id,
            title or "",
            issue_public_id,
            mail.template,
            mail.state,
            mail.attempt,
            mail.created_at,
            mail.settled_at,
            mail.reply_code,
            mail.status,
            mail.reply_text,
        )
        for mail, title, issue_public_id in session.execute(mails)
    )
