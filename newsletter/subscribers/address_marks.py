"""Keyed hashes of two kinds of addresses: disowned ones, and emptied ones of former subscribers."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.models import AddressMark, MarkKind, insert_new
from newsletter.suppression import suppression_hash
from newsletter.tokens import Tokens

# If a person says that a sign-up was not theirs, emails to that address are limited for this long.
DISOWNED_FOR = timedelta(days=90)
# A person who disowned a sign-up may want to subscribe later. So one sign-up in this time still brings a
# confirmation email. If somebody else keeps typing the address into the form, it brings no more than that.
DISOWNED_REST = timedelta(days=30)


def mark_address(
    session: Session, tokens: Tokens, email_key: str, kind: MarkKind, subscriber_id: int, now: datetime
) -> None:
    """Store a mark of this kind for an address, or restart the one it has. Commits nothing."""
    digest = _hash(tokens, email_key)
    session.execute(
        insert_new(session, AddressMark).values(
            address_hash=digest, kind=kind, subscriber_id=subscriber_id, since=now
        )
    )
    mark = _find(session, digest, kind)
    if mark is not None:
        mark.subscriber_id, mark.since = subscriber_id, now


def unmark_address(session: Session, tokens: Tokens, email_key: str, kind: MarkKind) -> bool:
    """Delete a mark; return whether there was one. Commits nothing."""
    mine = (AddressMark.address_hash == _hash(tokens, email_key), AddressMark.kind == kind)
    return session.connection().execute(delete(AddressMark).where(*mine)).rowcount > 0


def may_answer_form(session: Session, tokens: Tokens, email_key: str, now: datetime) -> bool:
    """Return whether a sign-up form for this address may bring a confirmation email; changes nothing."""
    mark = _find(session, _hash(tokens, email_key), MarkKind.DISOWNED)
    if mark is None or now - mark.since >= DISOWNED_FOR:
        return True
    return now - (mark.mailed_at or mark.since) >= DISOWNED_REST


def note_mailed(session: Session, tokens: Tokens, email_key: str, now: datetime) -> None:
    """Store that a disowned address was sent a confirmation email now. Commits nothing."""
    mark = _find(session, _hash(tokens, email_key), MarkKind.DISOWNED)
    if mark is not None:
        mark.mailed_at = now


def _find(session: Session, digest: str, kind: MarkKind) -> AddressMark | None:
    wanted = select(AddressMark).where(AddressMark.address_hash == digest, AddressMark.kind == kind)
    return session.scalars(wanted).one_or_none()


def _hash(tokens: Tokens, email_key: str) -> str:
    return suppression_hash(tokens, email_key)
