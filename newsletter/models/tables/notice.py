"""The table of notices to the owner: one row for each matter, open or settled."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime


class Notice(Base):
    """One matter for the owner. `kind` is a NoticeKind (notices.py); `subject` identifies what it is about.

    At most one row of a kind and subject is open. `kind` has no check in the database, because code of
    another version may have written a kind that this one does not know.
    """

    __tablename__ = "notice"
    __table_args__ = (
        Index(
            "uq_notice_open", "kind", "subject", unique=True,
            sqlite_where=text("settled_at IS NULL"), postgresql_where=text("settled_at IS NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(255), default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    opened_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # When it was last reported while it was open.
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # When the owner's command was run and their URL was asked, or tried.
    announced_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    emailed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
