"""The ledger of consent: rows are added, never changed."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime, choice


class ConsentAct(enum.StrEnum):
    """What a person did, or what became of what they asked for.

    DISOWNED: whoever reads the mail did not ask for it. EXPIRED: nobody confirmed in time.
    MOVED: to another address. REASONED: said why they left, afterwards.
    """

    ASKED = "asked"
    CONFIRMED = "confirmed"
    CHANGED = "changed"
    LEFT = "left"
    RETURNED = "returned"
    DISOWNED = "disowned"
    EXPIRED = "expired"
    MOVED = "moved"
    SNOOZED = "snoozed"
    RESUMED = "resumed"
    REASONED = "reasoned"
    ERASED = "erased"


class ConsentEntry(Base):
    """Who did what, when and how, and the exact wording they saw (by version and hash)."""

    __tablename__ = "consent_entry"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id"), index=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    act: Mapped[ConsentAct] = mapped_column(choice(ConsentAct, "consent_act"))
    how: Mapped[str] = mapped_column(String(32))
    wording_version: Mapped[str] = mapped_column(String(32), default="")
    wording_hash: Mapped[str] = mapped_column(String(64), default="")
    ip_address: Mapped[str | None] = mapped_column(String(45))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
