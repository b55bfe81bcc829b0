"""Erase a person: delete personal data from every table, and keep the ledger without it.

A keyed hash of the address stays too, so that no import or form can add the person again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from newsletter import audit, suppression
from newsletter.errors import NotFound, StateConflict
from newsletter.limits.keys import mailbox_of, mark_of
from newsletter.models import (
    AddressChange,
    AddressMark,
    BounceStep,
    ConsentAct,
    ConsentEntry,
    Delivery,
    DeliveryState,
    EndedReason,
    ReturnedMail,
    SignupRequest,
    Subscriber,
    SubscriptionState,
    SuppressionReason,
    ThrottleBucket,
)
from newsletter.outbox.enqueue import enqueue_notice
from newsletter.outbox.erasure_emails import LAST_EMAIL
from newsletter.outbox.unsent import WAITING
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.consent.ledger import note
from newsletter.subscribers.consent.record import own_rows
from newsletter.subscribers.privacy.empty_address import clear_address
from newsletter.subscribers.privacy.unmatched_reports import empty_unmatched_reports
from newsletter.tokens import Tokens

_QUIETLY = {"synchronize_session": False}


@dataclass(frozen=True)
class Erased:
    """The result of an erasure. Use `addresses` only to delete files that contain them."""

    public_id: str
    skipped: int
    addresses: frozenset[str] = field(repr=False)


def stop_first(session: Session, tokens: Tokens, public_id: str, now: datetime) -> bool:
    """Suppress the address of a person before `erase`; the caller commits in between. Raises NotFound.

    A sign-up that arrives in between then finds the suppression. `erase` waits for one that is being
    resolved. Returns whether the address may get a last email: not if it was suppressed before for another
    reason.
    """
    key = session.scalar(select(Subscriber.email_key).where(Subscriber.public_id == public_id))
    if key is None:
        raise NotFound("no such subscriber, or erased already")
    before = suppression.find(session, tokens, key)
    may_tell = before is None or before.reason is SuppressionReason.ERASED
    suppression.add(session, suppression.suppression_hash(tokens, key), SuppressionReason.ERASED, now)
    return may_tell


def erase(
    session: Session,
    tokens: Tokens,
    public_id: str,
    how: str,
    now: datetime,
    actor: str | None = None,
    *,
    may_tell: bool = True,
) -> Erased:
    """Delete a person's data from every table. A second call raises NotFound. Commits nothing.

    `how` is for the ledger: "page", "admin", "command line". `actor` is for the audit log, if somebody else
    erases the person. An email that is being sent to the relay right now still goes out; all waiting ones are
    skipped. If `may_tell`, the person gets one last email, unless they never confirmed. Raises StateConflict
    if the address changed at the same time.
    """
    key = session.scalar(select(Subscriber.email_key).where(Subscriber.public_id == public_id))
    if key is None:
        raise NotFound("no such subscriber, or erased already")
    # Delete requests before locking the subscriber: the job that resolves requests locks in this order too.
    session.execute(delete(SignupRequest).where(SignupRequest.email_key == key).execution_options(**_QUIETLY))
    subscriber = session.scalars(
        select(Subscriber)
        .where(Subscriber.public_id == public_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if subscriber.email_key != key:
        raise StateConflict("The address has just changed. Check it and try again.")
    everyone = _with_joined(session, subscriber)
    own = {text for person in everyone for text in (person.email, person.email_key) if text}
    others = _named_elsewhere(session, everyone)
    suppression.add(session, suppression.suppression_hash(tokens, key), SuppressionReason.ERASED, now)
    last_email = _LastEmail(subscriber.email or "", subscriber.language)
    may_tell &= subscriber.confirmed_at is not None
    for person in everyone:
        _end_everything(session, person, how, now)
    _empty_ledger(session, [person.id for person in everyone])
    skipped = _empty_outbox(session, everyone, own, now)
    _empty_the_rest(session, tokens, [person.id for person in everyone], own, now)
    if may_tell:
        _tell(session, subscriber, last_email, now)
    if actor is not None:
        audit.record(session, actor, "reader.erase", public_id, now)
    return Erased(public_id, skipped, frozenset(own | others))


@dataclass(frozen=True)
class _LastEmail:
    address: str
    language: str


def _tell(session: Session, subscriber: Subscriber, last: _LastEmail, now: datetime) -> None:
    # The delivery has no subscriber id. It keeps only the address, which is deleted when the email is settled
    # (outbox/erasure_emails.py).
    enqueue_notice(
        session,
        recipient=last.address,
        template=LAST_EMAIL,
        context={},
        purpose_key=f"{LAST_EMAIL}:{subscriber.public_id}",
        language=last.language,
        now=now,
    )


def _with_joined(session: Session, subscriber: Subscriber) -> list[Subscriber]:
    people = own_rows(session, subscriber)
    session.execute(
        select(Subscriber.id).where(Subscriber.id.in_([person.id for person in people])).with_for_update()
    )
    return people


def _named_elsewhere(session: Session, people: Sequence[Subscriber]) -> set[str]:
    """Return the earlier and requested addresses of these people that are still stored.

    They may belong to somebody else: people can type any address, and an earlier one may have a new owner.
    """
    changes = select(AddressChange.email, AddressChange.email_key).where(
        AddressChange.subscriber_id.in_([person.id for person in people])
    )
    found = {text for change in session.execute(changes) for text in change}
    found |= set(session.scalars(select(Delivery.recipient).where(_is_notice_about(people))))
    return {text for text in found if text}


def _is_notice_about(people: Sequence[Subscriber]) -> ColumnElement[bool]:
    """Return the condition that a delivery told another address about a change of these people."""
    about: ColumnElement[bool] = (
        Delivery.context["reader"].as_string().in_([person.public_id for person in people])
    )
    return Delivery.recipient.is_not(None) & about


def _end_everything(session: Session, person: Subscriber, how: str, now: datetime) -> None:
    live = subscription_rows.of_subscriber(
        session, person.id, SubscriptionState.ACTIVE, SubscriptionState.PENDING
    )
    subscription_rows.end(session, live, EndedReason.ERASED, now)
    if person.erased_at is None:
        note(session, person.id, ConsentAct.ERASED, how, now)
    clear_address(session, person)
    person.language, person.time_zone = "en", "UTC"
    person.erased_at = person.erased_at or now
    session.flush()  # the database allows deleting details only for an erased person


def _empty_ledger(session: Session, people: Sequence[int]) -> None:
    theirs = ConsentEntry.subscriber_id.in_(people)
    session.execute(
        update(ConsentEntry).where(theirs).values(ip_address=None, detail={}).execution_options(**_QUIETLY)
    )


def _empty_outbox(session: Session, people: Sequence[Subscriber], own: set[str], now: datetime) -> int:
    """Skip waiting deliveries of these people; return how many. Empty personal data in all deliveries."""
    mine = Delivery.subscriber_id.in_([person.id for person in people])
    keys = {address.lower() for address in own} | own
    named = func.lower(Delivery.recipient).in_(keys) | Delivery.recipient.in_(keys)
    skipped = 0
    # Three statements, so that each can use its index. The second condition finds test emails, and emails
    # about other people's requests for this address. The third finds emails about these people's own changes.
    for theirs in (mine, Delivery.recipient.is_not(None) & named, _is_notice_about(people)):
        waits = update(Delivery).where(theirs, Delivery.state.in_(WAITING))
        settled = waits.values(state=DeliveryState.SKIPPED, settled_at=now)
        skipped += session.connection().execute(settled).rowcount
        # A worker that holds a lease has read the row already, and checks again before each envelope
        # (outbox/lease.py).
        emptied = update(Delivery).where(theirs).values(recipient=None, context=None, reply_text=None)
        session.execute(emptied.execution_options(**_QUIETLY))
    return skipped


def _empty_the_rest(
    session: Session, tokens: Tokens, people: Sequence[int], own: set[str], now: datetime
) -> None:
    # Other people's requests for this address end too: nobody can move to an erased person's address.
    changes = or_(
        AddressChange.subscriber_id.in_(people),
        AddressChange.email.in_(own),
        AddressChange.email_key.in_(own),
    )
    session.execute(
        update(AddressChange)
        .where(changes)
        .values(
            email=None,
            email_key=None,
            ip_address=None,
            settled_at=func.coalesce(AddressChange.settled_at, now),
        )
        .execution_options(**_QUIETLY)
    )
    # A report quotes the address and the email.
    theirs = ReturnedMail.subscriber_id.in_(people)
    session.execute(
        update(ReturnedMail).where(theirs).values(raw=None, words="").execution_options(**_QUIETLY)
    )
    # The domain of a person can be their name.
    session.execute(
        update(BounceStep)
        .where(BounceStep.subscriber_id.in_(people))
        .values(domain="")
        .execution_options(**_QUIETLY)
    )
    empty_unmatched_reports(session, own)
    hashes = [suppression.suppression_hash(tokens, address) for address in own]
    session.execute(
        delete(AddressMark)
        .where(or_(AddressMark.subscriber_id.in_(people), AddressMark.address_hash.in_(hashes)))
        .execution_options(**_QUIETLY)
    )
    # Rate-limit counters of this address are not needed any more.
    for address in own:
        mark = mark_of(tokens, mailbox_of(address))
        session.execute(
            delete(ThrottleBucket)
            .where(ThrottleBucket.key.endswith(mark, autoescape=True))
            .execution_options(**_QUIETLY)
        )
