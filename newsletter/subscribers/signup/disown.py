"""Disown a confirmation email: the person did not ask for it and gets no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.models import (
    FIRST_NEWSLETTER,
    AddressMark,
    ConsentAct,
    EndedReason,
    MarkKind,
    Subscriber,
    SubscriptionState,
)
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.address_marks import mark_address
from newsletter.subscribers.consent.ledger import note_topics
from newsletter.subscribers.link import LinkFault, find_link_subscriber, read_payload
from newsletter.subscribers.privacy.empty_address import forget_address
from newsletter.tokens import Purpose, Tokens


@dataclass(frozen=True)
class Disowning:
    """The state that the disown page shows.

    `pending`: a subscription to the link's newsletter waits for its confirmation. `done`: the address is
    disowned already.
    `is_subscriber`: the person has active subscriptions, which the button does not end.
    """

    pending: bool
    done: bool
    is_subscriber: bool


def read_disowning(session: Session, tokens: Tokens, token: str, now: datetime) -> Disowning | LinkFault:
    """Return the state for the disown page, or why the link cannot be used; changes nothing."""
    found = _open(session, tokens, token, now, lock=False)
    return found if isinstance(found, LinkFault) else _describe(session, *found)


def disown(
    session: Session,
    tokens: Tokens,
    token: str,
    now: datetime,
    *,
    ip_address: str | None = None,
    how: str = "link",
) -> Disowning | LinkFault:
    """End a newsletter's pending subscriptions; for a time let forms send hardly any email to this address.

    `address_marks.py` has the limits. They count for every newsletter. Confirmed subscriptions stay, and what
    is pending for other newsletters too. If the person never confirmed and nothing is pending, the address is
    emptied at once and only a keyed hash of it is kept. A repeated call changes nothing more. Commits
    nothing.
    """
    found = _open(session, tokens, token, now, lock=True)
    if isinstance(found, LinkFault):
        return found
    subscriber, newsletter_id = found
    if subscriber.email_key is None:
        return _describe(session, subscriber, newsletter_id)
    waiting = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.PENDING)
    pending = subscription_rows.in_newsletter(waiting, newsletter_id)
    if not pending and _mark(session, subscriber) is not None:
        return _describe(session, subscriber, newsletter_id)
    subscription_rows.end(session, pending, EndedReason.DISOWNED, now)
    note_topics(
        session, subscriber.id, ConsentAct.DISOWNED, how, now, subscription_rows.topics_of(pending),
        newsletter_id=newsletter_id, ip_address=ip_address,
    )  # fmt: skip
    mark_address(session, tokens, subscriber.email_key, MarkKind.DISOWNED, subscriber.id, now)
    session.flush()
    if subscriber.confirmed_at is None and len(pending) == len(waiting):
        forget_address(session, tokens, subscriber, now)
    return _describe(session, subscriber, newsletter_id)


def own(session: Session, tokens: Tokens, token: str, now: datetime) -> Disowning | LinkFault:
    """Undo `disown`: forms can send emails to this address again as to any other. Commits nothing.

    The link was sent to the address, so its holder may do this. Ended requests stay ended; the person has to
    sign up again.
    """
    found = _open(session, tokens, token, now, lock=True)
    if isinstance(found, LinkFault):
        return found
    subscriber, newsletter_id = found
    session.execute(
        delete(AddressMark)
        .where(AddressMark.subscriber_id == subscriber.id, AddressMark.kind == MarkKind.DISOWNED)
        .execution_options(synchronize_session=False)
    )
    return _describe(session, subscriber, newsletter_id)


def _open(
    session: Session, tokens: Tokens, token: str, now: datetime, *, lock: bool
) -> tuple[Subscriber, int] | LinkFault:
    """Return the subscriber of a link, and its newsletter."""
    match read_payload(tokens, Purpose.DISOWN, token, now):
        case [str(public_id), str(fingerprint), int()]:
            newsletter_id = FIRST_NEWSLETTER  # made before there were others
        case [str(public_id), str(fingerprint), int(), int(newsletter_id)]:
            pass
        case _:
            return LinkFault.DAMAGED
    found = find_link_subscriber(session, tokens, public_id, fingerprint, lock=lock)
    if not isinstance(found, LinkFault):
        return found, newsletter_id
    # The address was emptied, perhaps by this button. The page shows that state too.
    wanted = select(Subscriber).where(Subscriber.public_id == public_id, Subscriber.email_key.is_(None))
    gone = session.scalars(wanted.with_for_update() if lock else wanted).one_or_none()
    return found if gone is None else (gone, newsletter_id)


def _describe(session: Session, subscriber: Subscriber, newsletter_id: int) -> Disowning:
    live = subscription_rows.of_subscriber(
        session, subscriber.id, SubscriptionState.ACTIVE, SubscriptionState.PENDING
    )
    here = subscription_rows.in_newsletter(live, newsletter_id)
    return Disowning(
        pending=any(row.state is SubscriptionState.PENDING for row in here),
        done=_mark(session, subscriber) is not None,
        is_subscriber=any(row.state is SubscriptionState.ACTIVE for row in live),
    )


def _mark(session: Session, subscriber: Subscriber) -> AddressMark | None:
    wanted = select(AddressMark).where(
        AddressMark.subscriber_id == subscriber.id, AddressMark.kind == MarkKind.DISOWNED
    )
    return session.scalars(wanted).first()
