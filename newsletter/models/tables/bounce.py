"""Addresses that are not mailed."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
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
    # Whose address it is, where that is known and the person was not erased: selection leaves them out.
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscriber.id"), index=True)


class MarkKind(enum.StrEnum):
    """What is remembered of an address beside its person.

    DISOWNED: whoever reads it did not ask for our mail. LEFT: its owner left, and it was emptied later.
    """

    DISOWNED = "disowned"
    LEFT = "left"


class AddressMark(Base):
    """A keyed hash of an address that may be written to again, but not as if nothing had been.

    Unlike a suppression it stops no mail that its owner wants: a disowned address is seldom asked
    to confirm, and one that left is revived by its owner's own sign-up only, never by an import.
    """

    __tablename__ = "address_mark"
    __table_args__ = (UniqueConstraint("address_hash", "kind"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    address_hash: Mapped[str] = mapped_column(String(64))
    kind: Mapped[MarkKind] = mapped_column(choice(MarkKind, "mark_kind"))
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscriber.id"), index=True)
    since: Mapped[datetime] = mapped_column(UTCDateTime)
    # When somebody's typing last caused a mail to it in spite of the mark.
    mailed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
