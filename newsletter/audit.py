"""One append-only entry for every change that somebody with rights makes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from newsletter.models import AuditEntry


def record(session: Session, actor: str, action: str, subject: str, now: datetime, **detail: Any) -> None:
    """Add an entry: who did what to which thing. Never put an address or a token into `detail`."""
    session.add(AuditEntry(at=now, actor=actor, action=action, subject=subject, detail=detail))
