"""Issues as they happen: note when a release begins to wait, and open the issue after the gathering delay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import ColumnElement, Select, String, bindparam, cast, delete, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from newsletter.calendar.store import find_calendar
from newsletter.digest.issues import open_issue, something_waits
from newsletter.digest.order.store import AS_IT_HAPPENS, forget
from newsletter.digest.schedule.clock import ACTOR
from newsletter.errors import StateConflict
from newsletter.models import (
    Frequency,
    Gathering,
    Issue,
    IssueState,
    NewsletterCalendar,
    Release,
    ReleaseState,
    ReleaseTopic,
    Topic,
    WaitsAgain,
    current_sequence,
    insert_new,
    is_one_of,
)


def newsletters_to_gather(session: Session) -> Sequence[int]:
    """Return the newsletters that may have a release to send as it happens, for `gather` to look at."""
    return session.scalars(_to_gather(), {"sequence": current_sequence(session)}).all()


@cache
def _to_gather() -> Select[int]:
    noted = exists().where(WaitsAgain.newsletter_id == NewsletterCalendar.newsletter_id)
    fresh = NewsletterCalendar.gathered_to < bindparam("sequence")
    chosen = select(NewsletterCalendar.newsletter_id).where(
        NewsletterCalendar.is_on.is_(True), or_(noted, fresh)
    )
    return chosen.order_by(NewsletterCalendar.newsletter_id)


def gather(session: Session, newsletter_id: int, now: datetime) -> bool:
    """Begin the gathering delay if a release waits to be sent as it happens; return whether one waits.

    The sequence shows new releases. Rows of WaitsAgain show releases that wait for another reason, such as
    a changed frequency. Commits nothing.
    """
    noted = session.scalars(select(WaitsAgain.id).where(WaitsAgain.newsletter_id == newsletter_id)).all()
    to_sequence = current_sequence(session)
    waits = something_waits(session, newsletter_id, [Frequency.IMMEDIATE], to_sequence)
    row = find_calendar(session, newsletter_id, lock=True)
    if row is None or not row.is_on:
        return False
    session.execute(delete(WaitsAgain).where(is_one_of(session, WaitsAgain.id, noted)))
    if waits:
        started = {
            "newsletter_id": newsletter_id,
            "from_sequence": row.gathered_to,
            "opens_at": now + timedelta(minutes=row.gather_minutes),
        }
        session.execute(insert_new(session, Gathering).values(started))
    row.gathered_to = max(row.gathered_to, to_sequence)
    return waits


def forget_notes(session: Session) -> None:
    """Delete the rows of WaitsAgain that nobody will read, because the schedule is off. Commits nothing."""
    on = select(NewsletterCalendar.newsletter_id).where(NewsletterCalendar.is_on.is_(True))
    session.execute(delete(WaitsAgain).where(WaitsAgain.newsletter_id.not_in(on)))


def due_gatherings(session: Session, now: datetime) -> Sequence[int]:
    """Return the newsletters whose issue "as it happens" has to be opened now.

    While another one is prepared, it is not known yet which releases it will leave. They wait too while the
    next issue has to be approved because of complaints (approval.py).
    """
    found = []
    for row, enough in session.execute(_free_gatherings()):
        if row.opens_at <= now or (enough and _gathered(session, row) >= enough):
            found.append(row.newsletter_id)
    return found


@cache
def _free_gatherings() -> Select[Gathering, int | None]:
    gatherings = select(Gathering, NewsletterCalendar.gather_releases).join(
        NewsletterCalendar, NewsletterCalendar.newsletter_id == Gathering.newsletter_id
    )
    free = gatherings.where(
        ~_is_preparing(Gathering.newsletter_id), NewsletterCalendar.approve_next.is_(False)
    )
    return free.order_by(Gathering.newsletter_id)


def open_gathered(session: Session, newsletter_id: int, now: datetime) -> Issue | None:
    """Open the issue "as it happens" and delete the gathering row, in one transaction. Commits nothing.

    Returns None if another process opened it, if another one is being prepared, or if nobody would get it.
    """
    mine = delete(Gathering).where(
        Gathering.newsletter_id == newsletter_id, ~_is_preparing(Gathering.newsletter_id)
    )
    if session.scalar(mine.returning(Gathering.newsletter_id)) is None:
        return None
    try:
        return open_issue(
            session,
            [Frequency.IMMEDIATE],
            actor=ACTOR,
            now=now,
            newsletter_id=newsletter_id,
            by_hand=False,
        )
    except StateConflict:
        forget(session, newsletter_id, AS_IT_HAPPENS)
        return None


def _is_preparing(newsletter_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """Return the condition that an issue "as it happens" is being prepared for a newsletter."""
    return exists().where(
        Issue.newsletter_id == newsletter_id,
        Issue.state == IssueState.PREPARING,
        cast(Issue.frequencies, String).contains(f'"{Frequency.IMMEDIATE}"'),
    )


def _gathered(session: Session, row: Gathering) -> int:
    """Return how many releases have become ready since the gathering began."""
    counted = (
        select(func.count(ReleaseTopic.release_id.distinct()))
        .join(Topic, Topic.id == ReleaseTopic.topic_id)
        .join(Release, Release.id == ReleaseTopic.release_id)
        .where(
            Topic.newsletter_id == row.newsletter_id,
            ReleaseTopic.sequence > row.from_sequence,
            Release.state == ReleaseState.READY,
        )
    )
    return session.scalar(counted) or 0
