"""Confirm a sign-up by its link: read what it would confirm, and make the subscriptions active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter import coverage
from newsletter.models import (
    FIRST_NEWSLETTER,
    ConsentAct,
    ConsentEntry,
    EndedReason,
    Frequency,
    MarkKind,
    Release,
    ReleaseTopic,
    Subscriber,
    Subscription,
    SubscriptionState,
    public_now,
)
from newsletter.models.release_languages import read_choice, wants_in_sql
from newsletter.outbox.enqueue import enqueue_single, key_of_newsletter
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.address_marks import unmark_address
from newsletter.subscribers.consent.ledger import last_asked, note_topics
from newsletter.subscribers.link import LinkFault, find_link_subscriber, read_payload
from newsletter.tokens import Purpose, Tokens

# How many releases the welcome email names. It bridges the time until the first issue and is not one.
WELCOME_SHOWS = 5


@dataclass(frozen=True)
class AskedTopic:
    """One topic that a confirmation link would confirm."""

    topic_id: int
    name: str
    description: str
    frequency: Frequency


@dataclass(frozen=True)
class Confirmation:
    """What the button on the confirmation page would start, all in one newsletter and for one address.

    `disown_token` is for the link by which the owner of the address says that they did not sign up.
    """

    email_key: str
    newsletter_id: int
    topics: tuple[AskedTopic, ...]
    disown_token: str = ""


@dataclass(frozen=True)
class Confirmed:
    """A confirmed subscriber; `started` counts the subscriptions that this request started."""

    public_id: str
    email_key: str
    started: int


def read_confirmation(
    session: Session, tokens: Tokens, token: str, now: datetime
) -> Confirmation | LinkFault:
    """Return what the link would confirm, or why it cannot be used; changes nothing."""
    found = _open(session, tokens, token, now, lock=False)
    if isinstance(found, LinkFault):
        return found
    subscriber, newsletter_id, covered = found
    if not covered:
        return _spent(session, subscriber, newsletter_id)
    email_key = subscriber.email_key or ""
    last = max(row.id for row in covered)
    disowning = [subscriber.public_id, tokens.fingerprint(email_key), last, newsletter_id]
    return Confirmation(
        email_key,
        newsletter_id,
        tuple(
            AskedTopic(
                row.topic_id,
                row.topic.name_in(subscriber.language),
                row.topic.description_in(subscriber.language),
                row.frequency,
            )
            for row in covered
        ),
        tokens.make(Purpose.DISOWN, disowning, now),
    )


def confirm(
    session: Session,
    tokens: Tokens,
    token: str,
    now: datetime,
    *,
    welcome_releases: int = 0,
    catch_up: int | None = None,
    welcome_mail: bool = False,
    ip_address: str | None = None,
    how: str = "link",
) -> Confirmed | LinkFault:
    """Start the pending subscriptions that a link covers. A repeated call changes nothing more.

    The link covers only rows of its newsletter that were pending when its email was made. Another person may
    have signed up this address since. If the topic is active with another frequency, the new row
    takes over its marks. If this ends a pause, the person gets the newest `catch_up` releases of each topic,
    or all if `catch_up` is None. With `welcome_mail`, the first confirmation of a newsletter sends an email
    with the newest releases. Commits nothing.
    """
    found = _open(session, tokens, token, now, lock=True)
    if isinstance(found, LinkFault):
        return found
    subscriber, newsletter_id, covered = found
    if not covered:
        fault = _spent(session, subscriber, newsletter_id)
        served = _rows(session, subscriber, newsletter_id, SubscriptionState.ACTIVE)
        if fault is LinkFault.USED and served:  # the same button, pressed again
            return Confirmed(subscriber.public_id, subscriber.email_key or "", 0)
        return fault
    asked = last_asked(session, subscriber.id, {row.topic.slug for row in covered})
    _start(session, subscriber, covered, asked, welcome_releases, catch_up, now)
    subscriber.confirmed_at = subscriber.confirmed_at or now
    for kind in MarkKind:  # the owner of the address wants emails now
        unmark_address(session, tokens, subscriber.email_key or "", kind)
    note_topics(
        session,
        subscriber.id,
        ConsentAct.CONFIRMED,
        how,
        now,
        subscription_rows.topics_of(covered),
        wording=(asked.wording_version, asked.wording_hash) if asked else ("", ""),
        ip_address=ip_address,
    )
    if welcome_mail:
        _welcome(session, subscriber, newsletter_id, covered, now)
    return Confirmed(subscriber.public_id, subscriber.email_key or "", len(covered))


def _welcome(
    session: Session,
    subscriber: Subscriber,
    newsletter_id: int,
    covered: Sequence[Subscription],
    now: datetime,
) -> None:
    """Enqueue the welcome email with the newest releases of the chosen topics.

    Each person gets it once for each newsletter.
    """
    newest = (
        select(Release)
        .where(
            public_now(now),
            wants_in_sql(read_choice(subscriber.release_languages), Release.language),
            Release.id.in_(
                select(ReleaseTopic.release_id).where(
                    ReleaseTopic.topic_id.in_([row.topic_id for row in covered]),
                    ReleaseTopic.sequence.is_not(None),
                )
            ),
        )
        .order_by(Release.published_on.desc(), Release.published_at.desc(), Release.id.desc())
        .limit(WELCOME_SHOWS)
    )
    releases = [
        {
            "id": each.public_id,
            "title": each.title,
            "publisher": each.publisher,
            "date": each.published_on.isoformat(),
        }
        for each in session.scalars(newest)
    ]
    enqueue_single(
        session,
        subscriber_id=subscriber.id,
        template="welcome",
        context={"topics": [row.topic.name_in(subscriber.language) for row in covered], "releases": releases},
        purpose_key=key_of_newsletter("welcome", newsletter_id),
        language=subscriber.language,
        now=now,
        newsletter_id=newsletter_id,
    )


def _open(
    session: Session, tokens: Tokens, token: str, now: datetime, *, lock: bool
) -> tuple[Subscriber, int, list[Subscription]] | LinkFault:
    """Return the subscriber of a link, its newsletter, and the pending subscriptions that it covers."""
    match read_payload(tokens, Purpose.CONFIRM, token, now):
        case LinkFault() as fault:
            return fault
        case [str(public_id), str(fingerprint), int(upto)]:
            newsletter_id = FIRST_NEWSLETTER  # made before there were others
        case [str(public_id), str(fingerprint), int(upto), int(newsletter_id)]:
            pass
        case _:
            return LinkFault.DAMAGED
    subscriber = find_link_subscriber(session, tokens, public_id, fingerprint, lock=lock)
    if isinstance(subscriber, LinkFault):
        return LinkFault.EXPIRED if _was_emptied(session, public_id) else subscriber
    pending = _rows(session, subscriber, newsletter_id, SubscriptionState.PENDING)
    return subscriber, newsletter_id, [row for row in pending if row.id <= upto]


def _rows(
    session: Session, subscriber: Subscriber, newsletter_id: int, state: SubscriptionState
) -> list[Subscription]:
    rows = subscription_rows.of_subscriber(session, subscriber.id, state)
    return subscription_rows.in_newsletter(rows, newsletter_id)


def _spent(session: Session, subscriber: Subscriber, newsletter_id: int) -> LinkFault:
    """Return why a link covers no pending row: replaced by a later request, expired, or used."""
    if _rows(session, subscriber, newsletter_id, SubscriptionState.PENDING):
        return LinkFault.REPLACED
    ended = _rows(session, subscriber, newsletter_id, SubscriptionState.ENDED)
    last = max(ended, key=lambda row: row.id, default=None)
    given_up = last is not None and last.ended_reason in {EndedReason.EXPIRED, EndedReason.DISOWNED}
    return LinkFault.EXPIRED if given_up else LinkFault.USED


def _was_emptied(session: Session, public_id: str) -> bool:
    """Return whether this person never confirmed and retention emptied the address. Then the link expired."""
    never = exists().where(Subscriber.public_id == public_id, Subscriber.confirmed_at.is_(None))
    return bool(session.scalar(select(never.where(Subscriber.email_key.is_(None)))))


def _start(
    session: Session,
    subscriber: Subscriber,
    covered: Sequence[Subscription],
    asked: ConsentEntry | None,
    welcome_releases: int,
    catch_up: int | None,
    now: datetime,
) -> None:
    active = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE, lock=True)
    ends_pause = not active and subscriber.snoozed_until is not None
    if not active:
        subscriber.snoozed_until = None  # a pause from before they unsubscribed
        # A person who returns gets the language and time zone of the form, as a new subscriber does.
        if asked is not None and "language" in asked.detail:
            subscriber.language, subscriber.time_zone = asked.detail["language"], asked.detail["time_zone"]
    served = {row.topic_id: row for row in active}
    for row in covered:
        earlier = served.get(row.topic_id)
        if earlier is not None:
            subscription_rows.end(session, [earlier], EndedReason.CHANGED, now)
        subscription_rows.activate(session, row, now, welcome_releases, earlier)
    session.flush()
    if ends_pause and catch_up is not None:
        coverage.skip_ahead(session, subscriber.id, catch_up)
