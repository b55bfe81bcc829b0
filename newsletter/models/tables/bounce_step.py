"""The history of a person's returned emails: one row for each step, and one for each probe email."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import BigInteger, Enum, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime


class StepKind(enum.StrEnum):
    """What happened, or what followed.

    HARD, SOFT, POLICY: an email failed, by the relay's reply or by a report. COMPLAINT: the person marked one
    as spam. DOUBTED: the judge did not believe that the mailbox is gone. PROBED: a probe email was sent.
    PROBE_PASSED, PROBE_FAILED, PROBE_ENDED: its result, or that it ended without one. RESET: earlier soft
    failures count no more. SUPPRESSED: the address gets no email. LIFTED: it gets email again. UNDONE: a
    person took a step back.
    """

    HARD = "hard"
    SOFT = "soft"
    POLICY = "policy"
    COMPLAINT = "complaint"
    DOUBTED = "doubted"
    PROBED = "probed"
    PROBE_PASSED = "probe_passed"
    PROBE_FAILED = "probe_failed"
    PROBE_ENDED = "probe_ended"
    RESET = "reset"
    SUPPRESSED = "suppressed"
    LIFTED = "lifted"
    UNDONE = "undone"


# The steps that say that one email failed. An email has at most one of them.
FAILURES = (StepKind.HARD, StepKind.SOFT, StepKind.POLICY)
_IS_FAILURE = text("kind IN ('hard', 'soft', 'policy')")
_UNWEIGHED = text("weighed_at IS NULL AND kind = 'soft'")


class BounceStep(Base):
    """One step. `reason` is why: a Reason of a failure, a reason of a suppression, or a word for a reset.

    `delivery_id` is the email that failed, or the probe. `report_id` is the report that says so; without one,
    the relay said it. `sent_at` is when the email was sent. `domain` is the recipient's domain, for rates.
    """

    __tablename__ = "bounce_step"
    __table_args__ = (
        Index("ix_bounce_step_subscriber_id", "subscriber_id", "at"),
        Index(
            "uq_bounce_step_failure", "delivery_id", unique=True,
            sqlite_where=_IS_FAILURE, postgresql_where=_IS_FAILURE,
        ),
        Index(
            "ix_bounce_step_unweighed", "id", sqlite_where=_UNWEIGHED, postgresql_where=_UNWEIGHED
        ),
        # The pages count failures by time, reason and domain, from this index alone.
        Index("ix_bounce_step_at", "at", "kind", "reason", "domain", "undone_at"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id"))
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    kind: Mapped[StepKind] = mapped_column(
        Enum(
            StepKind, name="step_kind", native_enum=False, create_constraint=False, length=16,
            values_callable=lambda members: [member.value for member in members],
        )
    )  # fmt: skip
    reason: Mapped[str] = mapped_column(String(32), default="")
    status: Mapped[str] = mapped_column(String(12), default="")
    domain: Mapped[str] = mapped_column(String(255), default="")
    # No foreign keys: the deletion of a delivery or a report need not look here.
    delivery_id: Mapped[int | None] = mapped_column(BigInteger)
    report_id: Mapped[int | None] = mapped_column(BigInteger)
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # A sign of life contradicts this failure, so a probe decides at once.
    asks_probe: Mapped[bool] = mapped_column(default=False)
    actor: Mapped[str] = mapped_column(String(320), default="")
    # When the soft failures of this person were counted after this one.
    weighed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # When a person took this step back.
    undone_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class ProbeResult(enum.StrEnum):
    """PASSED: the address receives email. FAILED: it is suppressed. ENDED: the probe said nothing."""

    PASSED = "passed"
    FAILED = "failed"
    ENDED = "ended"


class Probe(Base):
    """A probe email to an address whose emails came back. At most one of a person is open."""

    __tablename__ = "probe"
    __table_args__ = (
        Index(
            "uq_probe_open", "subscriber_id", unique=True,
            sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_probe_subscriber_id", "subscriber_id", "begun_at"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id"))
    delivery_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    begun_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    result: Mapped[ProbeResult | None] = mapped_column(
        Enum(
            ProbeResult, name="probe_result", native_enum=False, create_constraint=False, length=12,
            values_callable=lambda members: [member.value for member in members],
        )
    )  # fmt: skip
