"""Letting go of an address that is needed no longer, of somebody who did not ask to be erased."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import null, update
from sqlalchemy.orm import Session

from newsletter.models import (
    AddressChange,
    ConsentEntry,
    Delivery,
    DeliveryState,
    Lane,
    MarkKind,
    Subscriber,
)
from newsletter.subscriptions.marks import mark_address
from newsletter.tokens import Tokens

# Not with a worker, and not sent.
_UNSENT = (DeliveryState.QUEUED, DeliveryState.DEFERRED)


def forget_address(session: Session, tokens: Tokens, subscriber: Subscriber, now: datetime) -> None:
    """Empty the address of a (locked) person with no live subscription. Commits nothing.

    The row and its ledger stay, without an address or an IP address, so that counts stay true.
    Whoever was a reader once leaves a keyed hash behind, by which an import knows not to revive
    them; they may join again themselves. Nothing is kept of somebody who never confirmed.
    """
    if subscriber.email_key is not None and subscriber.confirmed_at is not None:
        mark_address(session, tokens, subscriber.email_key, MarkKind.LEFT, subscriber.id, now)
    subscriber.email = subscriber.email_key = None
    subscriber.preferred_hour = subscriber.snoozed_until = subscriber.address_since = None
    subscriber.erased_at = now
    session.flush()  # the database lets details of the ledger go only for those who are erased
    theirs = Delivery.subscriber_id == subscriber.id
    quietly = {"synchronize_session": False}
    session.execute(
        update(Delivery)
        .where(theirs, Delivery.state.in_(_UNSENT))
        .values(state=DeliveryState.SKIPPED, settled_at=now)
        .execution_options(**quietly)
    )
    # What a relay answers often repeats the address.
    session.execute(
        update(Delivery)
        .where(theirs, Delivery.state != DeliveryState.LEASED)
        .values(reply_text=None)
        .execution_options(**quietly)
    )
    session.execute(
        update(Delivery)
        .where(theirs, Delivery.lane == Lane.SINGLE, Delivery.state != DeliveryState.LEASED)
        .values(context=null(), recipient=None)
        .execution_options(**quietly)
    )
    session.execute(
        update(ConsentEntry)
        .where(ConsentEntry.subscriber_id == subscriber.id, ConsentEntry.ip_address.is_not(None))
        .values(ip_address=None)
        .execution_options(**quietly)
    )
    session.execute(
        update(AddressChange)
        .where(AddressChange.subscriber_id == subscriber.id)
        .values(email=None, email_key=None, ip_address=None)
        .execution_options(**quietly)
    )
