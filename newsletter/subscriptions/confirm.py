"""Confirming: what a link would confirm, and doing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.errors import TokenExpired, TokenInvalid
from newsletter.models import (
    ConsentAct,
    EndedReason,
    Frequency,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from newsletter.subscriptions import rows
from newsletter.subscriptions.bearer import LinkFault, find_bearer
from newsletter.subscriptions.consent import note, wording_asked
from newsletter.tokens import Purpose, Tokens


@dataclass(frozen=True)
class AskedTopic:
    """One topic that a confirmation link stands for."""

    name: str
    description: str
    frequency: Frequency


@dataclass(frozen=True)
class Confirmation:
    """What pressing the button would start."""

    topics: tuple[AskedTopic, ...]


@dataclass(frozen=True)
class Confirmed:
    """A reader who is on the list; `started` counts what this very press began."""

    public_id: str
    email_key: str
    started: int


def read_confirmation(
    session: Session, tokens: Tokens, token: str, now: datetime
) -> Confirmation | LinkFault:
    """Return what the link would confirm, or why it cannot; changes nothing."""
    found = _open(session, tokens, token, now, lock=False)
    if isinstance(found, LinkFault):
        return found
    subscriber, covered = found
    if not covered:
        return _spent(session, subscriber)
    return Confirmation(
        tuple(AskedTopic(row.topic.name, row.topic.description, row.frequency) for row in covered)
    )


def confirm(
    session: Session,
    tokens: Tokens,
    token: str,
    now: datetime,
    *,
    welcome_releases: int = 0,
    ip_address: str | None = None,
    how: str = "link",
) -> Confirmed | LinkFault:
    """Start the pending subscriptions a link stands for. Doing it twice changes nothing more.

    Only rows that were pending when the mail was written are covered: what somebody else asked
    for in this person's name since then is not. A new frequency for a topic that is served
    already goes on where the old one was.
    """
    found = _open(session, tokens, token, now, lock=True)
    if isinstance(found, LinkFault):
        return found
    subscriber, covered = found
    if not covered:
        fault = _spent(session, subscriber)
        served = rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE)
        if fault is LinkFault.USED and served:  # a second press of the same button
            return Confirmed(subscriber.public_id, subscriber.email_key or "", 0)
        return fault
    _start(session, subscriber, covered, welcome_releases, now)
    subscriber.confirmed_at = subscriber.confirmed_at or now
    note(
        session,
        subscriber.id,
        ConsentAct.CONFIRMED,
        how,
        now,
        wording=wording_asked(session, subscriber.id),
        ip_address=ip_address,
        topics={row.topic.slug: row.frequency.value for row in covered},
    )
    return Confirmed(subscriber.public_id, subscriber.email_key or "", len(covered))


def _open(
    session: Session, tokens: Tokens, token: str, now: datetime, *, lock: bool
) -> tuple[Subscriber, list[Subscription]] | LinkFault:
    try:
        payload = tokens.read(Purpose.CONFIRM, token, now)
    except TokenExpired:
        return LinkFault.EXPIRED
    except TokenInvalid:
        return LinkFault.DAMAGED
    match payload:
        case [str(public_id), str(fingerprint), int(upto)]:
            subscriber = find_bearer(session, tokens, public_id, fingerprint, lock=lock)
        case _:
            return LinkFault.DAMAGED
    if isinstance(subscriber, LinkFault):
        return subscriber
    pending = rows.of_subscriber(session, subscriber.id, SubscriptionState.PENDING)
    return subscriber, [row for row in pending if row.id <= upto]


def _spent(session: Session, subscriber: Subscriber) -> LinkFault:
    """Tell a link that did its work from one whose topics were asked for anew since."""
    newer = rows.of_subscriber(session, subscriber.id, SubscriptionState.PENDING)
    return LinkFault.REPLACED if newer else LinkFault.USED


def _start(
    session: Session,
    subscriber: Subscriber,
    covered: Sequence[Subscription],
    welcome_releases: int,
    now: datetime,
) -> None:
    active = rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE)
    served = {row.topic_id: row for row in active}
    for row in covered:
        earlier = served.get(row.topic_id)
        if earlier is None:
            rows.activate(row, rows.entry_floor(session, row.topic_id, welcome_releases), now)
            continue
        rows.end(session, [earlier], EndedReason.CHANGED, now)
        rows.activate(row, earlier.covered_to, now)
        row.started_sequence = earlier.started_sequence
    session.flush()
