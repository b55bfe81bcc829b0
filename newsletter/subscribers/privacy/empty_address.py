"""Empty the address of a person when it is no longer needed; erasing is separate (erase.py)."""

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
from newsletter.subscribers.address_marks import mark_address
from newsletter.tokens import Tokens

# Not with a worker, and not sent.
_UNSENT = (DeliveryState.QUEUED, DeliveryState.DEFERRED)


def forget_address(session: Session, tokens: Tokens, subscriber: Subscriber, now: datetime) -> None:
    """Empty the address of a (locked) person with no live subscription. Commits nothing.

    The row and its ledger stay, without an address or an IP address, so that counts stay true.
    Whoever was a reader once leaves a keyed hash behind, by which an import knows not to revive
    them; they may join again themselves. Nothing is kept of somebody who never confirmed.
    """
    forget_addresses(session, tokens, [subscriber], now)


def forget_addresses(session: Session, tokens: Tokens, people: Sequence[Subscriber], now: datetime) -> None:
    """Empty the addresses of several such people."""
    for person in people:
        if person.email_key is not None and person.confirmed_at is not None:
            mark_address(session, tokens, person.email_key, MarkKind.LEFT, person.id, now)
        suppression.forget_subscriber(session, person.id)
        person.email = person.email_key = None
        person.preferred_hour = person.snoozed_until = person.address_since = None
        person.emptied_at = now
    session.flush()
    ids = [person.id for person in people]
    connection = session.connection()
    theirs = Delivery.subscriber_id.in_(ids)
    skipped = update(Delivery).where(theirs, Delivery.state.in_(_UNSENT))
    connection.execute(skipped.values(state=DeliveryState.SKIPPED, settled_at=now))
    # What a relay answers often repeats the address. A worker that holds a mail looks again before it
    # sends it (outbox/lease.py), and writes down what came of it.
    single = Delivery.lane == Lane.SINGLE
    emptied = update(Delivery).where(theirs, Delivery.state != DeliveryState.LEASED)
    connection.execute(emptied.where(Delivery.reply_text.is_not(None)).values(reply_text=None))
    connection.execute(emptied.where(single).values(context=null(), recipient=None))
    entries = update(ConsentEntry).where(ConsentEntry.subscriber_id.in_(ids))
    connection.execute(entries.where(ConsentEntry.ip_address.is_not(None)).values(ip_address=None))
    wishes = update(AddressChange).where(AddressChange.subscriber_id.in_(ids))
    connection.execute(wishes.values(email=None, email_key=None, ip_address=None))
