"""Tables of schedules: a newsletter's calendar, its waves, and what differs from its rules on some dates."""

from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    exists,
    false,
    or_,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime, choice
from newsletter.models.tables.subscription import Frequency


class NewsletterCalendar(Base):
    """The calendar of one newsletter. A newsletter without a row has the default rules, and is off.

    Every wave up to `opened_to` was opened. `next_at` is when the clock has to look again, null for at once.
    A transaction that changes an hour locks this row first, so that no wave is opened meanwhile.
    """

    __tablename__ = "newsletter_calendar"

    newsletter_id: Mapped[int] = mapped_column(
        ForeignKey("newsletter.id"), primary_key=True, autoincrement=False
    )
    time_zone: Mapped[str] = mapped_column(String(64))
    hour: Mapped[int]
    # Numbers of weekdays, 0 for Monday.
    daily: Mapped[list[int]] = mapped_column(JSON)
    weekly: Mapped[list[int]] = mapped_column(JSON)
    weekly_every: Mapped[int]
    weekly_from: Mapped[date] = mapped_column(Date)
    monthly_day: Mapped[int]
    holidays: Mapped[str] = mapped_column(String(16), default="")
    # For each frequency: after how many hours a wave is late, and then "send", "skip" or "ask".
    late: Mapped[dict[str, Any]] = mapped_column(JSON)
    # As it happens: an issue opens this long after the first release, or at this many releases.
    gather_minutes: Mapped[int]
    gather_releases: Mapped[int | None]
    # The sequence up to which new releases were seen.
    gathered_to: Mapped[int] = mapped_column(BigId, default=0)
    is_on: Mapped[bool] = mapped_column(default=False)
    opened_to: Mapped[datetime | None] = mapped_column(UTCDateTime)
    next_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # How many hours before the first wave of a date its approval is asked for. Null: it needs none.
    approval_hours: Mapped[int | None]
    # The address that is asked. Empty: the owner.
    approver: Mapped[str] = mapped_column(String(320), default="", server_default=text("''"))
    # An issue that a person sends waits until another person approves it.
    second_person: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Too many people complained about an issue, so the next one waits for an approval, whatever the hours.
    approve_next: Mapped[bool] = mapped_column(default=False, server_default=false())


class SlotApproval(Base):
    """A date whose issue needs an approval (digest/schedule/approval.py). Its waves wait for it.

    `first_at` is the first instant of the date that was still to come when the row was made. `to_sequence` is
    the highest sequence in the preview that was approved, of the moment `shown_at`. `ended_at` is set when a
    later date began without an approval, or when the last wave of an approved date was prepared.
    """

    __tablename__ = "slot_approval"
    __table_args__ = (
        Index(
            "ix_slot_approval_open", "newsletter_id", "slot",
            sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL"),
        ),
    )  # fmt: skip

    newsletter_id: Mapped[int] = mapped_column(
        ForeignKey("newsletter.id"), primary_key=True, autoincrement=False
    )
    slot: Mapped[date] = mapped_column(Date, primary_key=True)
    first_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # Null while nothing waits for anybody.
    asked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    reminders: Mapped[int] = mapped_column(default=0)
    approved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    approved_by: Mapped[str] = mapped_column(String(320), default="")
    to_sequence: Mapped[int | None] = mapped_column(BigId)
    shown_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # The editor's note of the issue, in Markdown, and the tag of its language.
    editors_note: Mapped[str] = mapped_column(Text, default="")
    note_language: Mapped[str] = mapped_column(String(16), default="")
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class WaveState(enum.StrEnum):
    """PREPARING: its deliveries are being written, or wait for that. DONE: they were written."""

    PREPARING = "preparing"
    DONE = "done"


class Wave(Base):
    """The part of a scheduled issue that is prepared at one instant. The issue is made when one gets it.

    `parts` says who is in it (digest/schedule/waves.py). `asked` has late parts that wait for a person.
    `last_at` is the last instant of the date, as it was known when the wave was opened.
    """

    __tablename__ = "wave"
    __table_args__ = (
        UniqueConstraint("newsletter_id", "slot", "instant"),
        UniqueConstraint("issue_id", "instant"),
        Index(
            "ix_wave_preparing", "newsletter_id", "instant", "slot",
            sqlite_where=text("state = 'preparing'"), postgresql_where=text("state = 'preparing'"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletter.id"))
    slot: Mapped[date] = mapped_column(Date)
    instant: Mapped[datetime] = mapped_column(UTCDateTime)
    issue_id: Mapped[int | None] = mapped_column(ForeignKey("issue.id"))
    parts: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    asked: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    last_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # The highest sequence in it, read when preparing begins.
    to_sequence: Mapped[int | None] = mapped_column(BigId)
    prepared_to: Mapped[int] = mapped_column(BigId, default=0)
    state: Mapped[WaveState] = mapped_column(choice(WaveState, "wave_state"), default=WaveState.PREPARING)


class KeptInstant(Base):
    """The earlier instant of a date, which holds for those without an hour of their own.

    The newsletter's hour or zone changed, the new instant had passed, and the old one had not.
    """

    __tablename__ = "kept_instant"

    newsletter_id: Mapped[int] = mapped_column(
        ForeignKey("newsletter.id"), primary_key=True, autoincrement=False
    )
    slot: Mapped[date] = mapped_column(Date, primary_key=True)
    instant: Mapped[datetime] = mapped_column(UTCDateTime)


class PersonalInstant(Base):
    """When a date comes for one subscriber and frequency, if it differs from what their hour says."""

    __tablename__ = "personal_instant"
    __table_args__ = (Index("ix_personal_instant_instant", "newsletter_id", "instant"),)

    subscriber_id: Mapped[int] = mapped_column(
        ForeignKey("subscriber.id"), primary_key=True, autoincrement=False
    )
    newsletter_id: Mapped[int] = mapped_column(
        ForeignKey("newsletter.id"), primary_key=True, autoincrement=False
    )
    slot: Mapped[date] = mapped_column(Date, primary_key=True)
    frequency: Mapped[Frequency] = mapped_column(choice(Frequency, "frequency"), primary_key=True)
    instant: Mapped[datetime] = mapped_column(UTCDateTime)


class DueAgain(Base):
    """A date that is due for a weekly or monthly issue because the one before was skipped.

    It is for those with this hour and zone; `hour` is -1 and `time_zone` empty for the newsletter's hour.
    """

    __tablename__ = "due_again"

    newsletter_id: Mapped[int] = mapped_column(
        ForeignKey("newsletter.id"), primary_key=True, autoincrement=False
    )
    slot: Mapped[date] = mapped_column(Date, primary_key=True)
    frequency: Mapped[Frequency] = mapped_column(choice(Frequency, "frequency"), primary_key=True)
    time_zone: Mapped[str] = mapped_column(String(64), primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Gathering(Base):
    """When a newsletter's next issue "as it happens" opens. Making the issue deletes the row."""

    __tablename__ = "gathering"

    newsletter_id: Mapped[int] = mapped_column(
        ForeignKey("newsletter.id"), primary_key=True, autoincrement=False
    )
    # The sequence below the first release that waits.
    from_sequence: Mapped[int] = mapped_column(BigId)
    opens_at: Mapped[datetime] = mapped_column(UTCDateTime)


class WaitsAgain(Base):
    """A note for the clock that a release waits again for a subscriber: put back, a new subscription, ...

    Rows are only inserted and deleted, so that no two transactions wait for each other.
    """

    __tablename__ = "waits_again"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletter.id"))


def has_more_waves(newsletter_id: Any, slot: Any) -> ColumnElement[bool]:
    """Return the SQL condition that a wave of a date is being prepared or still to come."""
    return exists().where(
        Wave.newsletter_id == newsletter_id,
        Wave.slot == slot,
        NewsletterCalendar.newsletter_id == Wave.newsletter_id,
        or_(
            Wave.state == WaveState.PREPARING,
            and_(NewsletterCalendar.is_on.is_(True), Wave.last_at > NewsletterCalendar.opened_to),
        ),
    )
