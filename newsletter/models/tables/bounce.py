"""Suppressions and address marks: keyed hashes of addresses that we do not email, or not as usual."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint, text
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
    # The page of suppressions reads them newest first, all of them or those of one reason.
    __table_args__ = (
        Index("ix_suppression_since", "since", "id"),
        Index("ix_suppression_reason", "reason", "since", "id"),
        Index(
            "ix_suppression_import_id", "import_id",
            sqlite_where=text("import_id IS NOT NULL"), postgresql_where=text("import_id IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    address_hash: Mapped[str] = mapped_column(String(64), unique=True)
    reason: Mapped[SuppressionReason] = mapped_column(choice(SuppressionReason, "suppression_reason"))
    since: Mapped[datetime] = mapped_column(UTCDateTime)
    # The subscriber with this address, if known and not erased: selection leaves them out.
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscriber.id"), index=True)
    # The imported file that it came with. A foreign key would copy the whole table on SQLite.
    import_id: Mapped[int | None] = mapped_column(BigInteger)


class SuppressionImport(Base):
    """An import of a file of addresses to suppress: who did it, and how many lines were what.

    The addresses are not stored. Undoing the import lifts the suppressions that came with it.
    """

    __tablename__ = "suppression_import"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    began_at: Mapped[datetime] = mapped_column(UTCDateTime)
    actor: Mapped[str] = mapped_column(String(320))
    new: Mapped[int] = mapped_column(default=0)
    known: Mapped[int] = mapped_column(default=0)
    unreadable: Mapped[int] = mapped_column(default=0)
    undone_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


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
