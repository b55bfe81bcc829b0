"""Returned mail: one row for each report that came back, with what it said and what we did about it."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import BigInteger, Enum, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime


class ReportOutcome(enum.StrEnum):
    """What we did about a report.

    HARD: the delivery bounced, and the address will be judged. SOFT: counted. LATE: the server still tries.
    POLICY: the owner was told. COMPLAINT: the address was suppressed. The others change nothing. UNSIGNED:
    without a signed value of ours. STALE: long after the email. REPEATED: said before. GONE: about an email
    or a person that we do not know any more. AUTOREPLY and NOTHING: no report of a failure. CHECK: about the
    email of a check of the way back (PathCheck).
    """

    HARD = "hard"
    SOFT = "soft"
    LATE = "late"
    POLICY = "policy"
    COMPLAINT = "complaint"
    UNSIGNED = "unsigned"
    STALE = "stale"
    REPEATED = "repeated"
    GONE = "gone"
    AUTOREPLY = "autoreply"
    NOTHING = "nothing"
    CHECK = "check"


# Reports of these outcomes change nothing. In SQL as a constant, or the partial index would not be used.
IDLE_OUTCOMES = (
    ReportOutcome.UNSIGNED, ReportOutcome.GONE, ReportOutcome.STALE, ReportOutcome.REPEATED,
    ReportOutcome.LATE, ReportOutcome.NOTHING,
)  # fmt: skip
IS_IDLE = text(f"outcome IN ({', '.join(repr(each.value) for each in IDLE_OUTCOMES)})")


class ReturnedMail(Base):
    """A report. `digest` is the hash of its bytes, so that each is recorded once.

    `raw` has the first part of the message, until its time is over. `words` are the server's, without
    addresses.
    """

    __tablename__ = "returned_mail"
    __table_args__ = (
        Index("ix_returned_mail_subscriber_id", "subscriber_id", "received_at"),
        Index(
            "ix_returned_mail_raw", "received_at",
            sqlite_where=text("raw IS NOT NULL"), postgresql_where=text("raw IS NOT NULL"),
        ),
        Index("ix_returned_mail_idle", "received_at", sqlite_where=IS_IDLE, postgresql_where=IS_IDLE),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    outcome: Mapped[ReportOutcome] = mapped_column(
        Enum(
            ReportOutcome, name="report_outcome", native_enum=False, create_constraint=False, length=12,
            values_callable=lambda members: [member.value for member in members],
        )
    )  # fmt: skip
    # No foreign key: most deliveries never have a report, and the deletion of one need not look here.
    delivery_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscriber.id"))
    reason: Mapped[str] = mapped_column(String(20), default="")
    status: Mapped[str] = mapped_column(String(12), default="")
    words: Mapped[str] = mapped_column(Text, default="")
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)


class PathCheck(Base):
    """A check of the return path: an email whose report should come back. The email has `id`, signed."""

    __tablename__ = "path_check"

    id: Mapped[str] = mapped_column(String(24), primary_key=True)
    sent_at: Mapped[datetime] = mapped_column(UTCDateTime)
    returned_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # What came back: bounce, autoreply, or something else (Kind).
    kind: Mapped[str] = mapped_column(String(12), default="")
