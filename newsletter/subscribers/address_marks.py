"""Keyed hashes of addresses whose owner did not ask for the emails, or unsubscribed and was emptied."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.models import AddressMark, MarkKind, insert_new
from newsletter.suppression import suppression_hash
from newsletter.tokens import Tokens

# How long a disowned address is spared, and the mark is kept.
DISOWNED_FOR = timedelta(days=90)
# Whoever said that they did not ask may still want to join one day: once in this time a sign-up is
# answered all the same. Somebody who goes on typing their address in brings them no more than that.
DISOWNED_REST = timedelta(days=30)


def mark_address(
    session: Session, tokens: Tokens, email_key: str, kind: MarkKind, subscriber_id: int, now: datetime
) -> None:
    """Remember something of an address; an earlier mark of that kind begins anew. Commits nothing."""
    digest = _hash(tokens, email_key)
    session.execute(
        insert_new(session, AddressMark).values(
            address_hash=digest, kind=kind, subscriber_id=subscriber_id, since=now
        )
    )
    mark = _find(session, digest, kind)
    if mark is not None:
        mark.subscriber_id, mark.since = subscriber_id, now


def is_marked(session: Session, tokens: Tokens, email_key: str, kind: MarkKind) -> bool:
    """Return whether an address has such a mark. Imports ask for LEFT: they revive nobody."""
    return _find(session, _hash(tokens, email_key), kind) is not None


def unmark_address(session: Session, tokens: Tokens, email_key: str, kind: MarkKind) -> bool:
    """Forget a mark; return whether there was one. Commits nothing."""
    mine = (AddressMark.address_hash == _hash(tokens, email_key), AddressMark.kind == kind)
    return session.connection().execute(delete(AddressMark).where(*mine)).rowcount > 0


def may_answer_form(session: Session, tokens: Tokens, email_key: str, now: datetime) -> bool:
    """Return whether a form sent for this address may bring a confirmation; changes nothing."""
    mark = _find(session, _hash(tokens, email_key), MarkKind.DISOWNED)
    if mark is None or now - mark.since >= DISOWNED_FOR:
        return True
    return now - (mark.mailed_at or mark.since) >= DISOWNED_REST


def note_mailed(session: Session, tokens: Tokens, email_key: str, now: datetime) -> None:
    """Remember that a disowned address was mailed all the same. Commits nothing."""
    mark = _find(session, _hash(tokens, email_key), MarkKind.DISOWNED)
    if mark is not None:
        mark.mailed_at = now


def _find(session: Session, digest: str, kind: MarkKind) -> AddressMark | None:
    wanted = select(AddressMark).where(AddressMark.address_hash == digest, AddressMark.kind == kind)
    return session.scalars(wanted).one_or_none()


def _hash(tokens: Tokens, email_key: str) -> str:
    return suppression_hash(tokens, email_key)
