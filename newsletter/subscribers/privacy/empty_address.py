"""Empty the address of a person when it is no longer needed. Erasure is separate (erase.py)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import null, update
from sqlalchemy.orm import Session

from newsletter import suppression
from newsletter.models import (
    AddressChange,
    ConsentEntry,
    Delivery,
    DeliveryState,
    Lane,
    MarkKind,
    Subscriber,
)
from newsletter.outbox.unsent import WAITING
from newsletter.subscribers.address_marks import mark_address
from newsletter.tokens import Tokens


def forget_address(session: Session, tokens: Tokens, subscriber: Subscriber, now: datetime) -> None:
    """Empty the address of a (locked) person without an active or pending subscription. Commits nothing.

    The row and its ledger stay, without address and IP addresses, so that counts stay right. For a person who
    once confirmed, a keyed hash of the address stays: an import skips it, but the person can sign up again.
    For a person who never confirmed, no hash is kept.
    """
    forget_addresses(session, tokens, [subscriber], now)


def forget_addresses(session: Session, tokens: Tokens, people: Sequence[Subscriber], now: datetime) -> None:
    """Empty the addresses of several such people."""
    for person in people:
        if person.email_key is not None and person.confirmed_at is not None:
            mark_address(session, tokens, person.email_key, MarkKind.LEFT, person.id, now)
        clear_address(session, person)
        person.emptied_at = now
    session.flush()
    ids = [person.id for person in people]
    connection = session.connection()
    theirs = Delivery.subscriber_id.in_(ids)
    skipped = update(Delivery).where(theirs, Delivery.state.in_(WAITING))
    connection.execute(skipped.values(state=DeliveryState.SKIPPED, settled_at=now))
    # The replies are deleted too, because a relay often repeats the address in them. Leased deliveries are
    # left out: their worker checks again before it sends (outbox/lease.py), and records the result.
    single = Delivery.lane == Lane.SINGLE
    emptied = update(Delivery).where(theirs, Delivery.state != DeliveryState.LEASED)
    connection.execute(emptied.where(Delivery.reply_text.is_not(None)).values(reply_text=None))
    connection.execute(emptied.where(single).values(context=null(), recipient=None))
    entries = update(ConsentEntry).where(ConsentEntry.subscriber_id.in_(ids))
    connection.execute(entries.where(ConsentEntry.ip_address.is_not(None)).values(ip_address=None))
    changes = update(AddressChange).where(AddressChange.subscriber_id.in_(ids))
    connection.execute(changes.values(email=None, email_key=None, ip_address=None))


def clear_address(session: Session, person: Subscriber) -> None:
    """Delete the address from a subscriber's row, and the values that need one."""
    suppression.forget_subscriber(session, person.id)
    person.email = person.email_key = None
    person.preferred_hour = person.snoozed_until = person.address_since = None
    person.release_languages = None
    person.clicks_agreed_at = None
