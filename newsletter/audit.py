"""The audit log: one append-only entry for each change by an administrator or a command."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.models import AuditEntry
from newsletter.models.paging import Page, contains, paged


def record(session: Session, actor: str, action: str, subject: str, now: datetime, **detail: Any) -> None:
    """Add an entry: `actor` did `action` to `subject`. Never put an address or a token into `detail`."""
    session.add(AuditEntry(at=now, actor=actor, action=action, subject=subject, detail=detail))


def list_entries(
    session: Session,
    *,
    actor: str = "",
    action: str = "",
    subject: str = "",
    page: int = 1,
    per_page: int = 50,
) -> Page[AuditEntry]:
    """Return one page of the entries, the newest first.

    `actor` and `action` match any part of the text, in upper or lower case. `subject` must match exactly. It
    is the public id of a release or an issue, or the slug of a topic or a newsletter.
    """
    query = select(AuditEntry)
    if actor:
        query = query.where(contains(actor, AuditEntry.actor))
    if action:
        query = query.where(contains(action, AuditEntry.action))
    if subject:
        query = query.where(AuditEntry.subject == subject)
    return paged(session, query.order_by(AuditEntry.id.desc()), page, per_page)


def detail_words(entry: AuditEntry) -> str:
    """Return the details of an entry in a line, such as "people: 6". Pure."""
    return ", ".join(f"{name.replace('_', ' ')}: {_words(value)}" for name, value in entry.detail.items())


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
