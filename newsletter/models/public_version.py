"""A counter that grows with each change of what visitors see, so that pages can be kept until then.

A transaction that changes a release, a topic or a newsletter adds 1 as its last write. So the counter's row
is locked only for a moment, and always after the counter of sequences.
"""

from __future__ import annotations

import functools
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import DDL, Update, event, func, select, text, update
from sqlalchemy.orm import Mapped, ORMExecuteState, Session, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime
from newsletter.models.tables.duplicate import ReleaseMerge, ReleasePair
from newsletter.models.tables.newsletter import Newsletter, NewsletterText
from newsletter.models.tables.release import Release, ReleaseTopic
from newsletter.models.tables.topic import Topic, TopicGroup

# What visitors see in the archive is made of these.
_SEEN = (Newsletter, NewsletterText, Release, ReleaseMerge, ReleasePair, ReleaseTopic, Topic, TopicGroup)
_CHANGED = "public_changed"


class PublicVersion(Base):
    """A single row: the version of what visitors see, and when it changed."""

    __tablename__ = "public_version"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[int] = mapped_column(BigId)
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime, server_default=text("CURRENT_TIMESTAMP"))


_FIRST_ROW = DDL("INSERT INTO public_version (id, value) VALUES (1, 0)")  # type: ignore[no-untyped-call]
event.listen(PublicVersion.__table__, "after_create", _FIRST_ROW)


class Version(NamedTuple):
    """The counter's value, and when it last grew."""

    value: int
    changed_at: datetime


def public_version(session: Session) -> Version:
    """Return the present version of what visitors see."""
    row = session.execute(select(PublicVersion.value, PublicVersion.changed_at)).one()
    return Version(row.value, row.changed_at)


@event.listens_for(Session, "after_flush")
def _note(session: Session, _context: object) -> None:
    touched = (*session.new, *session.dirty, *session.deleted)
    if any(isinstance(each, _SEEN) for each in touched):
        session.info[_CHANGED] = True


@event.listens_for(Session, "do_orm_execute")
def _note_statement(state: ORMExecuteState) -> None:
    mapper = state.bind_mapper
    if (
        (state.is_update or state.is_delete or state.is_insert)
        and mapper
        and issubclass(mapper.class_, _SEEN)
    ):
        state.session.info[_CHANGED] = True


@event.listens_for(Session, "before_commit")
def _count(session: Session) -> None:
    # Objects that are not flushed yet count too.
    session.flush()
    if session.info.pop(_CHANGED, False):
        session.execute(_grown(session.get_bind().dialect.name))


@functools.cache
def _grown(dialect: str) -> Update:
    """Return the statement that adds 1. It is made once, because that takes longer than to run it."""
    # PostgreSQL's current_timestamp is when the transaction began.
    moment = func.current_timestamp() if dialect == "sqlite" else func.clock_timestamp()
    grown = update(PublicVersion).values(value=PublicVersion.value + 1, changed_at=moment)
    return grown.execution_options(synchronize_session=False)


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, _previous: object) -> None:
    session.info.pop(_CHANGED, None)
