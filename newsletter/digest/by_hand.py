"""Issues that a person sends: they can wait for a second person, and for a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from sqlalchemy import Select, bindparam, exists, func, select, update
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.calendar.instants import zone_of
from newsletter.digest.order.store import require_version
from newsletter.errors import InputError, StateConflict
from newsletter.models import Issue, IssueState, NewsletterCalendar, target_of

# An issue can be planned at most this far ahead.
FARTHEST = timedelta(days=60)


def read_start(text: str, time_zone: str, now: datetime) -> datetime | None:
    """Return the moment that a person typed, such as "2026-03-10 08:00"; None if they typed nothing.

    Raises InputError if it is no time, has passed, or is too far ahead. If clocks show the time twice, the
    first one counts. If they skip it, the result is later by the skipped time.
    """
    if not text.strip():
        return None
    try:
        typed = datetime.fromisoformat(text.strip())
    except ValueError as fault:
        raise InputError("This is no time. Write, for example: 2026-03-10 08:00") from fault
    moment = (typed if typed.tzinfo else typed.replace(tzinfo=zone_of(time_zone))).astimezone(UTC)
    if moment <= now:
        raise InputError("This time has passed. Choose a later one, or send the issue now.")
    if moment > now + FARTHEST:
        raise InputError(f"Choose a time within {FARTHEST.days} days.")
    return moment


def first_state(session: Session, newsletter_id: int, starts_at: datetime | None) -> IssueState:
    """Return the state of a new issue that a person sends."""
    needs_second = exists().where(
        NewsletterCalendar.newsletter_id == newsletter_id, NewsletterCalendar.second_person.is_(True)
    )
    if session.scalar(select(needs_second)):
        return IssueState.HELD
    return IssueState.SCHEDULED if starts_at is not None else IssueState.PREPARING


def approve_held(
    session: Session, issue: Issue, actor: str, now: datetime, order_version: int | None = None
) -> None:
    """Let an issue go out that waits for a second person. Commits nothing.

    `order_version` is that of the manual order that they saw, None if they saw none. Raises StateConflict if
    it has changed since, if the issue does not wait, or if `actor` is the person who wanted to send it.
    """
    if issue.state is not IssueState.HELD:
        raise StateConflict(f"Issue {issue.public_id} is {issue.state} and waits for no approval.")
    if issue.created_by == actor:
        raise StateConflict("Another person has to approve this issue, because you wanted to send it.")
    require_version(session, issue.newsletter_id, target_of(issue), order_version)
    issue.approved_by = actor
    waits = issue.starts_at is not None and issue.starts_at > now
    issue.state = IssueState.SCHEDULED if waits else IssueState.PREPARING
    audit.record(session, actor, "issue.approve", issue.public_id, now)


def any_to_start(session: Session, now: datetime) -> bool:
    """Return whether the time of a planned issue has come."""
    return bool(session.scalar(_to_start(), {"now": now}))


@cache
def _to_start() -> Select[int]:
    return select(func.count()).where(
        Issue.state == IssueState.SCHEDULED, Issue.starts_at <= bindparam("now")
    )


def start_planned(session: Session, now: datetime) -> list[int]:
    """Begin to prepare the issues whose time has come; return their ids. Commits nothing."""
    due = (Issue.state == IssueState.SCHEDULED, Issue.starts_at <= now)
    started = update(Issue).where(*due).values(state=IssueState.PREPARING).returning(Issue.id)
    return list(session.scalars(started.execution_options(synchronize_session=False)))
