"""Whose link this is, or why it cannot be used."""

from __future__ import annotations

import enum
import hmac

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.models import Subscriber
from newsletter.tokens import Tokens


class LinkFault(enum.StrEnum):
    """Why a link cannot be used; each has a page that says so and offers a new one."""

    EXPIRED = "expired"
    USED = "used"
    REPLACED = "replaced"
    DAMAGED = "damaged"
    OUTDATED = "outdated"


def find_bearer(
    session: Session, tokens: Tokens, public_id: str, fingerprint: str | None, *, lock: bool = False
) -> Subscriber | LinkFault:
    """Return the reader a genuine link was made for, locked against other writers on request.

    A `fingerprint` that is not of the address of today means the address was changed or erased
    since, and ends the link. Links that carry none (unsubscribing) outlive a change of address.
    """
    wanted = select(Subscriber).where(Subscriber.public_id == public_id)
    subscriber = session.scalars(wanted.with_for_update() if lock else wanted).one_or_none()
    if subscriber is None or subscriber.email_key is None:
        return LinkFault.OUTDATED
    if fingerprint is not None:
        today = tokens.fingerprint(subscriber.email_key)
        if not hmac.compare_digest(today.encode(), fingerprint.encode()):
            return LinkFault.OUTDATED
    return subscriber


def address_hint(email: str) -> str:
    """Return an address as its owner knows it and nobody else does: r…@example.org."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"
