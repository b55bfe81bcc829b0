"""Open and settle the notices about what nothing else reports: silent processes, schedules and paused issues.

A function that pauses an issue calls `tell_about_pause`, which opens the notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import func, literal_column, select
from sqlalchemy.orm import Session

from newsletter.models import (
    SERVING_KINDS,
    Heartbeat,
    Issue,
    IssueState,
    Newsletter,
    NewsletterCalendar,
    Subscription,
    Wave,
    seen_lately,
)
from newsletter.notices import NoticeKind, open_notices, settle, tell_owner

# After this many dates without an email, a schedule is reported. Holidays and quiet weeks are shorter.
SILENT_DATES = 10


def tell_about_pause(session: Session, issue: Issue, now: datetime) -> None:
    """Tell the owner that an issue paused by itself; its note says why. Commits nothing."""
    tell_owner(session, NoticeKind.ISSUE_PAUSED, issue.public_id, now, title=issue.title, what=issue.note)


def watch(session: Session, now: datetime) -> None:
    """Open the notices that are due, and settle those whose cause is gone. Commits nothing."""
    _watch_pauses(session, now)
    _watch_processes(session, now)
    _watch_schedules(session, now)


def _watch_pauses(session: Session, now: datetime) -> None:
    for notice in open_notices(session, NoticeKind.ISSUE_PAUSED):
        state = session.scalar(select(Issue.state).where(Issue.public_id == notice.subject))
        if state is not IssueState.PAUSED:
            settle(session, NoticeKind.ISSUE_PAUSED, notice.subject, now)


def _watch_processes(session: Session, now: datetime) -> None:
    """Report each kind of process that stopped without ending normally. A normal end deletes its row."""
    known, alive = set(session.scalars(select(Heartbeat.kind).distinct())), seen_lately(session, now)
    for kind, name in SERVING_KINDS.items():
        if kind in alive:
            settle(session, NoticeKind.PROCESS_GONE, kind, now)
        elif kind in known:
            tell_owner(session, NoticeKind.PROCESS_GONE, kind, now, name=name)


def _watch_schedules(session: Session, now: datetime) -> None:
    on = select(NewsletterCalendar.newsletter_id, Newsletter.slug, NewsletterCalendar.is_on)
    for newsletter_id, slug, is_on in session.execute(on.join(Newsletter)).all():
        since = _silent_since(session, newsletter_id) if is_on else None
        if since is None:
            settle(session, NoticeKind.SCHEDULE_SILENT, slug, now)
        else:
            tell_owner(session, NoticeKind.SCHEDULE_SILENT, slug, now, dates=SILENT_DATES, since=str(since))


def _silent_since(session: Session, newsletter_id: int) -> date | None:
    """Return the first of the last dates if none of them sent anything although there are subscribers."""
    dates: Sequence[tuple[date, int | None]] = [
        (slot, issue)
        for slot, issue in session.execute(
            select(Wave.slot, func.max(Wave.issue_id))
            .where(Wave.newsletter_id == newsletter_id)
            .group_by(Wave.slot)
            .order_by(Wave.slot.desc())
            .limit(SILENT_DATES)
        )
    ]
    if len(dates) < SILENT_DATES or any(issue is not None for _, issue in dates):
        return None
    subscribed = select(Subscription.id).where(
        Subscription.state == literal_column("'active'"), Subscription.newsletter_id == newsletter_id
    )
    return dates[-1][0] if session.scalar(subscribed.limit(1)) is not None else None
