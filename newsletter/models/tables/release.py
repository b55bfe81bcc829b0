"""Tables of releases, their topics, and the counter of sequences."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time

from sqlalchemy import (
    DDL,
    JSON,
    ColumnElement,
    Date,
    Enum,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    event,
    false,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from newsletter.models.base import Base, BigId, UTCDateTime, choice, new_public_id
from newsletter.models.tables.topic import Topic


class ReleaseState(enum.StrEnum):
    """HELD waits for a person, READY may be sent, EXCLUDED is never sent."""

    HELD = "held"
    READY = "ready"
    EXCLUDED = "excluded"


class HoldReason(enum.StrEnum):
    """Why a release is not sent yet.

    DOUBT: a field may be wrong. DATE: its date is in the future. EDITOR: an editor decided so. EMBARGO:
    nothing of it is public before a time. APPROVAL: its source wants a person to look at each release.
    SETTLING: its page may still change. GONE: its page was removed while it settled.
    """

    DOUBT = "doubt"
    DATE = "date"
    EDITOR = "editor"
    EMBARGO = "embargo"
    APPROVAL = "approval"
    SETTLING = "settling"
    GONE = "gone"


def _day(context: DefaultExecutionContext) -> date:
    moment: datetime = context.get_current_parameters()["published_at"]  # type: ignore[no-untyped-call]
    return moment.date()


class Release(Base):
    """One press release: sanitised HTML, plain text and a summary.

    `published_on` is the date that the publisher gave. Pages and emails show it, whatever the time zone.
    `published_at` is the time of publication, or noon in UTC on that date if the time is not known.
    `made_public_at` is when it became ready for the first time. Before `embargo_until`, nothing of it is
    public.
    """

    __tablename__ = "release"
    __table_args__ = (
        # For the list of languages that a subscriber can choose from.
        Index("ix_release_language", "language"),
        # The order of releases/queries.py, NEWEST_FIRST.
        Index("ix_release_newest", "published_on", "published_at", "made_public_at", "id"),
        Index(
            "ix_release_embargo_until",
            "embargo_until",
            sqlite_where=text("embargo_until IS NOT NULL"),
            postgresql_where=text("embargo_until IS NOT NULL"),
        ),
        Index(
            "ix_release_unplaced",
            "id",
            sqlite_where=text("place IS NULL"),
            postgresql_where=text("place IS NULL"),
        ),
        Index("ix_release_made_public_at", "made_public_at", "id"),
        Index(
            "ix_release_image_hash",
            "image_hash",
            sqlite_where=text("image_hash IS NOT NULL"),
            postgresql_where=text("image_hash IS NOT NULL"),
        ),
        Index("ix_release_urgent", "id", sqlite_where=text("urgent"), postgresql_where=text("urgent")),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True, default=new_public_id)
    title: Mapped[str] = mapped_column(Text)
    publisher: Mapped[str] = mapped_column(String(300), default="")
    published_at: Mapped[datetime] = mapped_column(UTCDateTime)
    published_on: Mapped[date] = mapped_column(Date, default=_day)
    language: Mapped[str] = mapped_column(String(16), default="und")
    body_html: Mapped[str] = mapped_column(Text)
    body_text: Mapped[str] = mapped_column(Text)
    summary: Mapped[str] = mapped_column(Text, default="")
    # The title and summary in emails, where they are not those of the pages; "" if they are.
    email_title: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    email_summary: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    canonical_url: Mapped[str | None] = mapped_column(Text)
    # The lead image, a row of `image`, and what it shows in words. Without words it is not shown. It is no
    # foreign key: SQLite could add one only by copying the table.
    image_hash: Mapped[str | None] = mapped_column(String(64))
    image_alt: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    # The categories that its source gave it, for rules of topics.
    tags: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    content_hash: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[ReleaseState] = mapped_column(
        choice(ReleaseState, "release_state"), default=ReleaseState.READY
    )
    pinned: Mapped[bool] = mapped_column(default=False)
    # An editor wants it sent at once, and its urgent issue is not open yet (releases/editing/urgent.py).
    # If it waits much longer than until `urgent_from`, it is late: the editor was asked at `urgent_asked_at`.
    urgent: Mapped[bool] = mapped_column(default=False)
    urgent_from: Mapped[datetime | None] = mapped_column(UTCDateTime)
    urgent_by: Mapped[str] = mapped_column(String(320), default="", server_default=text("''"))
    urgent_asked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    made_public_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    embargo_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # The number of the present text. Each correction adds one (ReleaseRevision).
    revision: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    # When the present text replaced another one that was public; None if it did not.
    updated_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # It was old when its source was added, so it is public and is not mailed until an editor says so.
    is_kept_back: Mapped[bool] = mapped_column(default=False, server_default=false())
    # A deleted release is excluded. Its row stays, so that no source brings it again, and so that it can come
    # back as it was.
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    deleted_from: Mapped[ReleaseState | None] = mapped_column(
        Enum(
            ReleaseState, name="deleted_from", native_enum=False, create_constraint=False, length=24,
            values_callable=lambda members: [member.value for member in members],
        )
    )  # fmt: skip
    # Where it stands in the order of the archive, and the number of its row in the search index. None until
    # it is indexed: the version before does not set it.
    place: Mapped[int | None] = mapped_column(BigId)

    holds: Mapped[list[ReleaseHold]] = relationship(
        cascade="all, delete-orphan", order_by="ReleaseHold.id", back_populates="release"
    )
    topic_links: Mapped[list[ReleaseTopic]] = relationship(
        cascade="all, delete-orphan", order_by="ReleaseTopic.topic_id", back_populates="release"
    )
    revisions: Mapped[list[ReleaseRevision]] = relationship(
        cascade="all, delete-orphan", order_by="ReleaseRevision.number", passive_deletes=True
    )


class ReleaseRevision(Base):
    """A text of a release that was corrected. A release that was never corrected has no rows here.

    Number 1 is the text it was stored with. The present text is both here and in the release's own row, so
    pages and issues read one row. Rows are never changed, except that `made_public_at` is set when the text
    becomes public for the first time.
    """

    __tablename__ = "release_revision"
    __table_args__ = (
        Index("ix_release_revision_content_hash", "content_hash"),
        Index(
            "ix_release_revision_image_hash",
            "image_hash",
            sqlite_where=text("image_hash IS NOT NULL"),
            postgresql_where=text("image_hash IS NOT NULL"),
        ),
    )

    release_id: Mapped[int] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(Text)
    publisher: Mapped[str] = mapped_column(String(300))
    published_at: Mapped[datetime] = mapped_column(UTCDateTime)
    published_on: Mapped[date] = mapped_column(Date)
    language: Mapped[str] = mapped_column(String(16))
    body_html: Mapped[str] = mapped_column(Text)
    body_text: Mapped[str] = mapped_column(Text)
    summary: Mapped[str] = mapped_column(Text)
    email_title: Mapped[str] = mapped_column(Text)
    email_summary: Mapped[str] = mapped_column(Text)
    image_hash: Mapped[str | None] = mapped_column(String(64))
    image_alt: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    content_hash: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    made_by: Mapped[str] = mapped_column(String(320))
    made_public_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


def published_place(release_id: int, published_on: date, published_at: datetime) -> int:
    """Return the place of a release in the order of the archive: by date, then by time, then by id.

    It has 63 bits: 20 for the day, 13 for the minute, 30 for the id. In UTC, a time in another zone can be on
    the day before or after. So the minute counts from a day before the date's midnight.
    """
    day = min(published_on.toordinal(), 2**20 - 1)
    midnight = datetime.combine(published_on, time(), UTC)
    minute = int((published_at - midnight).total_seconds() // 60) + 24 * 60
    return day << 43 | min(max(minute, 0), 2**13 - 1) << 30 | release_id


def first_place(day: date) -> int:
    """Return the lowest place that a release of this date can have."""
    return min(day.toordinal(), 2**20 - 1) << 43


def id_of_place(place: int) -> int:
    """Return the id of the release at a place."""
    return place & (2**30 - 1)


def is_public(release: Release, now: datetime) -> bool:
    """Return whether visitors may see a release. `public_now` is the same rule in SQL."""
    is_over = release.embargo_until is None or release.embargo_until <= now
    return release.state is ReleaseState.READY and is_over


def public_now(now: datetime) -> ColumnElement[bool]:
    """Return the SQL condition that visitors may see a release. `is_public` is the same rule for one row."""
    is_over = or_(Release.embargo_until.is_(None), Release.embargo_until <= now)
    return and_(Release.state == ReleaseState.READY, is_over)


class ReleaseHold(Base):
    """A reason why a release is held. It becomes ready when its last hold ends.

    `fields` names the doubtful fields, with commas between them. `until` is when the hold ends by itself.
    """

    __tablename__ = "release_hold"
    __table_args__ = (UniqueConstraint("release_id", "reason"), Index("ix_release_hold_until", "until"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"))
    reason: Mapped[HoldReason] = mapped_column(choice(HoldReason, "hold_reason"))
    fields: Mapped[str] = mapped_column(String(120), default="")
    until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    set_by: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

    release: Mapped[Release] = relationship(back_populates="holds")


class ReleaseTopic(Base):
    """A release under a topic. `sequence` is set when the pair becomes ready to be sent."""

    __tablename__ = "release_topic"
    __table_args__ = (Index("ix_release_topic_topic_id_sequence", "topic_id", "sequence"),)

    release_id: Mapped[int] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"), primary_key=True)
    topic_id: Mapped[int] = mapped_column(ForeignKey("topic.id", ondelete="CASCADE"), primary_key=True)
    sequence: Mapped[int | None] = mapped_column(BigId, unique=True)
    # The first sequence of this pair. The release is new only for subscriptions that began before it.
    first_sequence: Mapped[int | None] = mapped_column(BigId)

    release: Mapped[Release] = relationship(back_populates="topic_links")
    topic: Mapped[Topic] = relationship()


class TopicChoice(Base):
    """A person's decision about a release and a topic, which rules never change.

    `is_taken_off`: the topic was taken off the release; otherwise it was added. The row keeps the pair's
    first sequence, for the case that the topic is added again.
    """

    __tablename__ = "topic_choice"

    release_id: Mapped[int] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"), primary_key=True)
    topic_id: Mapped[int] = mapped_column(
        ForeignKey("topic.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    is_taken_off: Mapped[bool]
    first_sequence: Mapped[int | None] = mapped_column(BigId)
    set_by: Mapped[str] = mapped_column(String(320))
    set_at: Mapped[datetime] = mapped_column(UTCDateTime)


def links_to_renew(release: Release) -> list[ReleaseTopic]:
    """Return the pairs of a release that get new sequences when it becomes ready.

    If it was ready before, only the topics that it had get them. A release that was kept back gets none.
    """
    if release.is_kept_back:
        return []
    had = [link for link in release.topic_links if link.sequence is not None]
    return had or list(release.topic_links)


def ready_by_itself_at(release: Release) -> datetime | None:
    """Return when a held release becomes ready without a person, or None if it does not."""
    ends = [each.until for each in release.holds]
    known = [each for each in ends if each is not None]
    if release.state is not ReleaseState.HELD or not ends or len(known) < len(ends):
        return None
    return max(known)


class ReleaseKey(Base):
    """What identifies a release outside: a hash of its guid or of its address. One release has each key.

    Two sources may bring the same release at the same moment. The primary key lets one of them store it.
    """

    __tablename__ = "release_key"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"), index=True)


class SequenceCounter(Base):
    """A single row with the highest sequence given so far."""

    __tablename__ = "sequence_counter"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[int] = mapped_column(BigId)


# The row is made with the table, and by the migration, so that no two processes try to make it.
_FIRST_ROW = DDL("INSERT INTO sequence_counter (id, value) VALUES (1, 0)")  # type: ignore[no-untyped-call]
event.listen(SequenceCounter.__table__, "after_create", _FIRST_ROW)


_COUNTER = select(SequenceCounter.value).where(SequenceCounter.id == 1)


def current_sequence(session: Session) -> int:
    """Return the highest sequence given so far, 0 before the first."""
    return session.scalars(_COUNTER).one()


def take_sequences(session: Session, count: int) -> int:
    """Reserve `count` sequences; return the first. Call it as the last write before a commit.

    The row stays locked until the commit, so the order of sequences is the order of commits. So a
    transaction that reads the counter also sees every pair up to it. (With a PostgreSQL SEQUENCE, pairs could
    become visible out of order.)
    """
    grown = (
        update(SequenceCounter)
        .where(SequenceCounter.id == 1)
        .values(value=SequenceCounter.value + count)
        .returning(SequenceCounter.value)
    )
    return session.scalars(grown).one() - count + 1
