"""Find the subscriber that a signed link belongs to, or say why the link cannot be used."""

from __future__ import annotations

import enum
import hmac
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import TokenExpired, TokenInvalid
from newsletter.models import Delivery, Subscriber
from newsletter.tokens import Purpose, Tokens

# A mail may still go to the address that its worker read this long before.
ON_ITS_WAY = timedelta(minutes=10)
# Rows that were joined point to the one that took their place, which may have been joined later.
MOST_MOVES = 10


class LinkFault(enum.StrEnum):
    """Why a link cannot be used; each has a page that says so and offers a new one.

    LATE: it worked for an hour (subscribers/privacy/emailed_links.py).
    """

    EXPIRED = "expired"
    LATE = "late"
    USED = "used"
    REPLACED = "replaced"
    DAMAGED = "damaged"
    OUTDATED = "outdated"


def find_link_subscriber(
    session: Session,
    tokens: Tokens,
    public_id: str,
    fingerprint: str | None,
    *,
    lock: bool = False,
    follow: bool = False,
) -> Subscriber | LinkFault:
    """Return the reader a genuine link was made for, locked against other writers on request.

    A `fingerprint` that is not of the address of today means the address was changed or erased
    since, and ends the link. Links that carry none (unsubscribing) outlive a change of address,
    and find whoever a reader was joined with; others do so only with `follow`.
    """
    wanted = select(Subscriber).where(Subscriber.public_id == public_id)
    if lock:
        wanted = wanted.with_for_update()
    subscriber = session.scalars(wanted).one_or_none()
    if fingerprint is None or follow:
        for _ in range(MOST_MOVES):
            if subscriber is None or subscriber.moved_to is None:
                break
            subscriber = session.get(Subscriber, subscriber.moved_to, with_for_update=lock or None)
    if subscriber is None or subscriber.email_key is None:
        return LinkFault.OUTDATED
    if fingerprint is not None:
        today = tokens.fingerprint(subscriber.email_key)
        if not hmac.compare_digest(today.encode(), fingerprint.encode()):
            return LinkFault.OUTDATED
    return subscriber


def read_link_subscriber(
    session: Session, tokens: Tokens, token: str, now: datetime, *, lock: bool = False
) -> Subscriber | LinkFault:
    """Return whose preferences link this is. Such a link never expires, and ends with the address."""
    try:
        payload = tokens.read(Purpose.PREFERENCES, token, now)
    except (TokenExpired, TokenInvalid):
        return LinkFault.DAMAGED
    match payload:
        case [str(public_id), str(fingerprint)]:
            return find_link_subscriber(session, tokens, public_id, fingerprint, lock=lock, follow=True)
        case _:
            return LinkFault.DAMAGED


def reaches_today(
    session: Session, subscriber: Subscriber, made_at: datetime, delivery_id: int | None
) -> bool:
    """Return whether a link that outlives a change of address came to the address of today.

    `made_at` is when it was made, `delivery_id` the mail that carried it. One that went to an
    earlier address may be in other hands now: it lets them leave for the reader, which can be
    undone, and shows or opens nothing else. In doubt the answer is no.
    """
    if subscriber.address_since is None:
        return True
    safe = subscriber.address_since + ON_ITS_WAY
    if made_at < safe:
        return False
    if delivery_id is None:
        return True
    written_at = session.scalar(
        select(Delivery.created_at).where(Delivery.id == delivery_id, Delivery.subscriber_id == subscriber.id)
    )
    return written_at is not None and written_at >= safe


def address_hint(email: str) -> str:
    """Return an address as its owner knows it and nobody else does: r…@example.org."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"
