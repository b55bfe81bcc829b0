"""The events and calls of webhooks that were taken in, so that each counts once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, UTCDateTime


class WebhookEvent(Base):
    """An event, or a call whose signature does not cover its events. Kept until a repetition does not count.

    `digest` is the hash of the provider's name and of its id of the event or call. `content` is the hash of
    a call's events.
    """

    __tablename__ = "webhook_event"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[str] = mapped_column(String(64), default="")
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
