"""Addresses that are not mailed."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime, choice


class SuppressionReason(enum.StrEnum):
    """Why an address is not mailed."""

    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    ERASED = "erased"
    MANUAL = "manual"


class Suppression(Base):
    """A keyed hash of an address that is not mailed: it survives the erasure of the person."""

    __tablename__ = "suppression"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    address_hash: Mapped[str] = mapped_column(String(64), unique=True)
    reason: Mapped[SuppressionReason] = mapped_column(choice(SuppressionReason, "suppression_reason"))
    since: Mapped[datetime] = mapped_column(UTCDateTime)
