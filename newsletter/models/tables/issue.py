"""Tables of an issue (one edition of the digest): its fragments, renditions and releases."""

from __future__ import annotations

import enum
from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import (
    JSON,
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
    func,
    literal,
    or_,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime, choice, new_public_id, newsletter_column


class IssueState(enum.StrEnum):
    """The state of an issue. HELD waits for a second person, and SCHEDULED for its `starts_at`.

    All deliveries of a FINISHED issue are final.
    """

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PREPARING = "preparing"
    SENDING = "sending"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    HELD = "held"


class Issue(Base):
    """One edition of a newsletter, for one date of its schedule, or else `slot` is null.

    `to_sequence` is the highest sequence in it. The lower end is each subscription's own `covered_to`.
    """

    __tablename__ = "issue"
    __table_args__ = (
        UniqueConstraint("newsletter_id", "slot"),
        Index("uq_issue_newsletter_id_number", "newsletter_id", "number", unique=True),
        Index(
            "uq_issue_urgent_release_id", "urgent_release_id", "newsletter_id", unique=True,
            sqlite_where=text("urgent_release_id IS NOT NULL"),
            postgresql_where=text("urgent_release_id IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True, default=new_public_id)
    newsletter_id: Mapped[int] = newsletter_column(index=True)
    slot: Mapped[date | None] = mapped_column(Date)
    # The first issue of a newsletter is 1. Tests have no number.
    number: Mapped[int | None] = mapped_column()
    title: Mapped[str] = mapped_column(Text)
    frequencies: Mapped[list[str]] = mapped_column(JSON)
    state: Mapped[IssueState] = mapped_column(choice(IssueState, "issue_state"), index=True)
    to_sequence: Mapped[int] = mapped_column(BigId)
    # The last subscriber id of the last prepared chunk. After a crash, preparing continues there.
    prepared_to: Mapped[int] = mapped_column(BigId, default=0)
    created_by: Mapped[str] = mapped_column(String(320), default="")
    # The second person who approved it, if it waited for one.
    approved_by: Mapped[str] = mapped_column(String(320), default="", server_default=text("''"))
    note: Mapped[str] = mapped_column(Text, default="")
    # The editor's note on top, in Markdown, and the tag of its language.
    editors_note: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    note_language: Mapped[str] = mapped_column(String(16), default="", server_default=text("''"))
    # The one-time key of the form that opened it, so that a form sent twice opens one issue.
    request_key: Mapped[str | None] = mapped_column(String(40), unique=True)
    # A test digest to one address: it moves no `covered_to` and is left out of the list of issues.
    is_test: Mapped[bool] = mapped_column(default=False)
    # Subscribers who chose an hour of their day get it at that hour, the others at once.
    own_hour: Mapped[bool] = mapped_column(default=False)
    # The only release of an urgent issue (digest/urgent.py). No subscription is served by it, so its
    # `to_sequence` is 0. A foreign key would copy the table on SQLite.
    urgent_release_id: Mapped[int | None] = mapped_column(BigId)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # When preparing begins, if a person chose a time.
    starts_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # It was cancelled with "drop": what its cancelled deliveries hold does not come with a later issue.
    drops_unsent: Mapped[bool] = mapped_column(default=False, server_default=false())
    # The version of the newsletter's templates that it began with; 0 for the usual ones.
    template_version: Mapped[int | None] = mapped_column()
    # When its fragments, and the relay's replies to its deliveries, were deleted because of their age.
    emptied_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    replies_emptied_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Fragment(Base):
    """A part of an issue in one language, rendered once. The body of a message is made by joining parts.

    `part` names it: "frame", "release:<id>", "topic:<id>", ... Static parts are stored as the encoded lines
    of a message. The frame is stored as text, with marks for each subscriber's own values.
    """

    __tablename__ = "fragment"

    issue_id: Mapped[int] = mapped_column(ForeignKey("issue.id", ondelete="CASCADE"), primary_key=True)
    language: Mapped[str] = mapped_column(String(16), primary_key=True)
    part: Mapped[str] = mapped_column(String(40), primary_key=True)
    html: Mapped[bytes] = mapped_column(LargeBinary)
    text: Mapped[bytes] = mapped_column(LargeBinary)


class Rendition(Base):
    """The ordered releases of one selection, as a `key` (models/rendition_key.py).

    A message's body is joined from fragments. So a million different selections need only a million short
    rows.
    """

    __tablename__ = "rendition"
    __table_args__ = (UniqueConstraint("issue_id", "key_hash"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    issue_id: Mapped[int] = mapped_column(ForeignKey("issue.id", ondelete="CASCADE"))
    key_hash: Mapped[str] = mapped_column(String(32))
    key: Mapped[str] = mapped_column(Text)


class IssueRelease(Base):
    """A release in at least one rendition of an issue."""

    __tablename__ = "issue_release"

    issue_id: Mapped[int] = mapped_column(ForeignKey("issue.id", ondelete="CASCADE"), primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"), primary_key=True, index=True)


class ClickCount(Base):
    """How often a release was followed from one place of an issue, by everybody together."""

    __tablename__ = "click_count"

    issue_id: Mapped[int] = mapped_column(ForeignKey("issue.id", ondelete="CASCADE"), primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"), primary_key=True, index=True)
    place: Mapped[str] = mapped_column(String(16), primary_key=True)
    clicks: Mapped[int] = mapped_column()


def has_names(names: Collection[str]) -> ColumnElement[bool]:
    """Return the SQL condition that the key of a rendition has one of these names (`name_of`)."""
    return or_(*(_names_of_keys().contains(f",{each},") for each in names))


def holds_release(release_id: int) -> ColumnElement[bool]:
    """Return the SQL condition that a rendition has a release, with any of its texts."""
    return or_(has_names([str(release_id)]), _names_of_keys().contains(f",{release_id}."))


def _names_of_keys() -> ColumnElement[str]:
    # A key is like `3w:12,15.2;5d:18`, so this makes `,3w,12,15.2,5d,18,`.
    return literal(",") + func.replace(func.replace(Rendition.key, ":", ","), ";", ",") + literal(",")
