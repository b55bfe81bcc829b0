"""Addresses that are not mailed: put there and lifted by a person with the right to, and written down."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.mail.addresses import address_hash
from newsletter.models import Suppression, SuppressionReason, insert_new
from newsletter.tokens import Tokens


def suppression_hash(tokens: Tokens, email_key: str) -> str:
    """Return what a suppression keeps of an address: a keyed hash, which outlives the address."""
    return address_hash(email_key, tokens.derived_key("suppression"))


def find_suppression(session: Session, tokens: Tokens, email_key: str) -> Suppression | None:
    """Return why and since when an address is not mailed, or None."""
    wanted = select(Suppression).where(Suppression.address_hash == suppression_hash(tokens, email_key))
    return session.scalars(wanted).one_or_none()


def suppress(
    session: Session, tokens: Tokens, email_key: str, reason: SuppressionReason, now: datetime
) -> bool:
    """Stop all mail to an address; return whether that is new. Commits nothing.

    One that is suppressed already keeps its reason, unless it is erased now: that one says more
    than the others, and no policy about bounces may ever lift it.
    """
    fresh = insert_new(session, Suppression).values(
        address_hash=suppression_hash(tokens, email_key), reason=reason, since=now
    )
    new = session.scalar(fresh.returning(Suppression.id)) is not None
    if not new and reason is SuppressionReason.ERASED:
        there = find_suppression(session, tokens, email_key)
        if there is not None:
            there.reason = reason
    return new


def suppress_by_hand(session: Session, tokens: Tokens, email_key: str, actor: str, now: datetime) -> bool:
    """Stop all mail to an address because `actor` says so; return whether that is new. Commits nothing."""
    new = suppress(session, tokens, email_key, SuppressionReason.MANUAL, now)
    if new:
        # The hash's beginning tells two entries of one address apart from others, and names nobody.
        mark = suppression_hash(tokens, email_key)[:16]
        audit.record(session, actor, "address.suppress", mark, now)
    return new


def lift(session: Session, tokens: Tokens, email_key: str, actor: str, now: datetime) -> bool:
    """Let an address be mailed again; return whether it was suppressed. Commits nothing.

    It brings no subscription back: whoever was erased signs up and confirms anew.
    """
    found = find_suppression(session, tokens, email_key)
    if found is None:
        return False
    reason = found.reason.value
    session.execute(delete(Suppression).where(Suppression.id == found.id))
    mark = suppression_hash(tokens, email_key)[:16]
    audit.record(session, actor, "address.unsuppress", mark, now, reason=reason)
    return True
