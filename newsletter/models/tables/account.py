"""Accounts of people who run the newsletter, and the audit log of what they did."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.append_only import keep_append_only
from newsletter.models.base import Base, BigId, UTCDateTime, new_public_id


class AdminUser(Base):
    """An account for the admin pages. A new `session_key` ends all its sessions."""

    __tablename__ = "admin_user"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True, default=new_public_id)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    password_hash: Mapped[str] = mapped_column(Text)
    must_change: Mapped[bool] = mapped_column(default=False)
    # When a one-time password (`must_change`) expires.
    one_time_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    session_key: Mapped[str] = mapped_column(String(32), default=new_public_id)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    signed_in_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class AuditEntry(Base):
    """One change by an account, a command or the program. The database refuses to change or delete rows."""

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    actor: Mapped[str] = mapped_column(String(320))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(120), default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


keep_append_only(AuditEntry)
