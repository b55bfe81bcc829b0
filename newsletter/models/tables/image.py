"""The table of images of releases."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, UTCDateTime

EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg"}


class StoredImage(Base):
    """An image of releases in two sizes, as this program encoded it. It is in the database, so that every
    host has it and each backup too.

    Rows are never changed. A row that no release and no revision names is deleted after some days
    (images/store.py).
    """

    __tablename__ = "image"

    # SHA-256 of `content`, in hex.
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    media_type: Mapped[str] = mapped_column(String(32))
    width: Mapped[int]
    height: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    email_media_type: Mapped[str] = mapped_column(String(32))
    email_width: Mapped[int]
    email_height: Mapped[int]
    email_content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

    @property
    def file_name(self) -> str:
        """The last part of the URL of the size for pages."""
        return f"{self.hash}.{EXTENSIONS[self.media_type]}"

    @property
    def email_file_name(self) -> str:
        """The last part of the URL of the size for emails."""
        return f"{self.hash}-email.{EXTENSIONS[self.email_media_type]}"
