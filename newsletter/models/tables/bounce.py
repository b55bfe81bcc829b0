"""Suppressions and address marks: keyed hashes of addresses that we do not email, or not as usual."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime, choice


class SuppressionReason(enum.StrEnum):
    """Why an address is suppressed. SOFT_BOUNCE: its emails kept coming back, and so did a probe email."""

    HARD_BOUNCE = "hard_bounce"
    SOFT_BOUNCE = "soft_bounce"
    COMPLAINT = "complaint"
    ERASED = "erased"
    MANUAL = "manual"


class Suppression(Base):
    """A keyed hash of an address that we do not email. It stays when the subscriber is erased."""

    __tablename__ = "suppression"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    address_hash: Mapped[str] = mapped_column(String(64), unique=True)
    reason: Mapped[SuppressionReason] = mapped_column(choice(SuppressionReason, "suppression_reason"))
    since: Mapped[datetime] = mapped_column(UTCDateTime)
    # The subscriber with this address, if known and not erased: selection leaves them out.
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscriber.id"), index=True)


class MarkKind(enum.StrEnum):
    """What we remember about an address without storing it.

    DISOWNED: the owner of the mailbox said that they did not sign up. LEFT: the subscriber had unsubscribed,
    and later the address was deleted because of its age.
    """

    DISOWNED = "disowned"
    LEFT = "left"


class AddressMark(Base):
    """A keyed hash of an address that we may email again, but with more care.

    Unlike a suppression, it stops no email that the owner of the address wants. A disowned address rarely
    gets a confirmation email. An address that unsubscribed can sign up again, but an import does not add it.
    """

    __tablename__ = "address_mark"
    __table_args__ = (UniqueConstraint("address_hash", "kind"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    address_hash: Mapped[str] = mapped_column(String(64))
    kind: Mapped[MarkKind] = mapped_column(choice(MarkKind, "mark_kind"))
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscriber.id"), index=True)
    since: Mapped[datetime] = mapped_column(UTCDateTime)
    # When a sign-up last caused an email to this address despite the mark.
    mailed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
