"""The audit log: one append-only entry for each change by an administrator or a command."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from newsletter.models import AuditEntry


def record(session: Session, actor: str, action: str, subject: str, now: datetime, **detail: Any) -> None:
    """Add an entry: `actor` did `action` to `subject`. Never put an address or a token into `detail`."""
    session.add(AuditEntry(at=now, actor=actor, action=action, subject=subject, detail=detail))
