"""Check the return path: send an email that is refused, and wait for its report. Commits nothing."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from newsletter.models import PathCheck

_PREFIX = "check-"
_KEPT = timedelta(days=30)


def begin_check(session: Session, now: datetime) -> str:
    """Record a new check; return its id, which is to be signed. Old checks are deleted."""
    session.execute(delete(PathCheck).where(PathCheck.sent_at < now - _KEPT))
    check_id = f"{_PREFIX}{secrets.token_hex(8)}"
    session.add(PathCheck(id=check_id, sent_at=now, kind=""))
    session.flush()
    return check_id


def note_return(session: Session, signed_id: str, kind: str, now: datetime) -> bool:
    """Record the first message that came back to a check; return whether `signed_id` is that of a check."""
    if not signed_id.startswith(_PREFIX):
        return False
    first = update(PathCheck).where(PathCheck.id == signed_id, PathCheck.returned_at.is_(None))
    session.execute(first.values(returned_at=now, kind=kind))
    return session.scalar(select(PathCheck.id).where(PathCheck.id == signed_id)) is not None


def find_return(session: Session, check_id: str) -> tuple[float, str] | None:
    """Return after how many seconds a message came back and its kind, or None if none came yet."""
    query = select(PathCheck.sent_at, PathCheck.returned_at, PathCheck.kind).where(PathCheck.id == check_id)
    sent_at, returned_at, kind = session.execute(query).one()
    return None if returned_at is None else ((returned_at - sent_at).total_seconds(), kind)
