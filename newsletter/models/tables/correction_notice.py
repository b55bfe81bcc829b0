"""The table of correction notices: an email to those who have an earlier text of a corrected release."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime


class CorrectionNotice(Base):
    """An editor's decision to tell the recipients of earlier texts about one revision of a release.

    `content` has what the email says: the release's values, and either a sentence or the differences from
    each earlier revision. A job writes the deliveries in the order of subscriber ids, up to `enqueued_to`.
    When it has seen all, it begins again if a worker held an old text at the start (`is_last_pass`).
    """

    __tablename__ = "correction_notice"
    __table_args__ = (
        UniqueConstraint("release_id", "revision"),
        Index(
            "ix_correction_notice_open", "id",
            sqlite_where=text("finished_at IS NULL"), postgresql_where=text("finished_at IS NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"))
    revision: Mapped[int]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    asked_by: Mapped[str] = mapped_column(String(320))
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    enqueued_to: Mapped[int] = mapped_column(BigId, default=0)
    is_last_pass: Mapped[bool] = mapped_column(default=False, server_default=false())
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
