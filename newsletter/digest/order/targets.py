"""Find the issue that a manual order is for, and say whether its order can still be changed.

A target is the date of a scheduled issue, or the public id of an issue that a person sends. The others are
words for issues that do not exist yet (order/store.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from newsletter.calendar.plan import instants_of
from newsletter.calendar.store import find_calendar, hours_in_use, load_calendar
from newsletter.digest.order.store import AS_IT_HAPPENS, BY_HAND
from newsletter.digest.schedule import approval
from newsletter.errors import NotFound
from newsletter.models import (
    Frequency,
    Gathering,
    Issue,
    IssueState,
    NewsletterCalendar,
    Wave,
    WaveState,
)


@dataclass(frozen=True)
class Target:
    """An issue with an order. `name` is the key of its row, and `words` names it in a sentence.

    `to_sequence` is None if the issue has the releases of the moment at which it is prepared. `closed` says
    why the order cannot be changed; it is empty if it can be.
    """

    newsletter_id: int
    name: str
    words: str
    frequencies: tuple[Frequency, ...]
    to_sequence: int | None = None
    slot: date | None = None
    issue: Issue | None = None
    closed: str = ""


def find_target(
    session: Session, newsletter_id: int, name: str, now: datetime, *, lock: bool = False
) -> Target:
    """Return the target with a name. Raises NotFound with a sentence if there is no such issue.

    With `lock`, its preparation does not begin before the transaction ends.
    """
    if name == BY_HAND:
        return Target(newsletter_id, name, "the next issue that a person sends", tuple(Frequency))
    if name == AS_IT_HAPPENS:
        return _gathering(session, newsletter_id, lock=lock)
    try:
        slot = date.fromisoformat(name) if len(name) == len("2026-03-10") else None
    except ValueError:
        slot = None
    if slot is not None:
        return _of_date(session, newsletter_id, slot, now, lock=lock)
    return _of_issue(session, newsletter_id, name, lock=lock)


def _gathering(session: Session, newsletter_id: int, *, lock: bool) -> Target:
    mine = select(Gathering.newsletter_id).where(Gathering.newsletter_id == newsletter_id)
    found = session.scalar(mine.with_for_update() if lock else mine)
    closed = "" if found else "No release waits for an issue as it happens, so there is no order to change."
    return Target(
        newsletter_id, AS_IT_HAPPENS, "the next issue as it happens", (Frequency.IMMEDIATE,), closed=closed
    )


def _of_date(session: Session, newsletter_id: int, slot: date, now: datetime, *, lock: bool) -> Target:
    row = find_calendar(session, newsletter_id, lock=lock)
    issue = session.scalar(select(Issue).where(Issue.newsletter_id == newsletter_id, Issue.slot == slot))
    due = approval.frequencies_on(session, newsletter_id, slot)
    if issue is None and (row is None or not row.is_on or not due):
        raise NotFound(f"The schedule has no issue for {slot}.")
    row_of_approval = approval.find_approval(session, newsletter_id, slot)
    served = () if issue is None else tuple(Frequency(each) for each in issue.frequencies)
    return Target(
        newsletter_id,
        str(slot),
        f"the issue for {slot}",
        due or served,
        to_sequence=row_of_approval.to_sequence if row_of_approval else None,
        slot=slot,
        issue=issue,
        closed=_why_date_is_closed(session, row, newsletter_id, slot, now, lock=lock),
    )


def _why_date_is_closed(
    session: Session,
    row: NewsletterCalendar | None,
    newsletter_id: int,
    slot: date,
    now: datetime,
    *,
    lock: bool,
) -> str:
    if approval.has_begun(session, newsletter_id, slot, lock=lock):
        return f"Emails of the issue for {slot} are prepared already, so its order stays as it is."
    found = approval.find_approval(session, newsletter_id, slot)
    if found is not None and found.approved_at is not None:
        return f"The issue for {slot} is approved as it is. Withdraw the approval to change its order."
    if approval.was_missed(session, newsletter_id, slot) or not _is_to_come(session, row, slot, now):
        return f"The date {slot} is over. The next issue brings its releases."
    return ""


def _is_to_come(session: Session, row: NewsletterCalendar | None, slot: date, now: datetime) -> bool:
    """Return whether a wave of a date is still to come, or waits."""
    if row is None:
        return False
    instants = instants_of(load_calendar(session, row), hours_in_use(session), slot)
    if instants and instants[-1] > now:
        return True
    waiting = select(Wave.id).where(
        Wave.newsletter_id == row.newsletter_id,
        Wave.slot == slot,
        or_(Wave.state == WaveState.PREPARING, Wave.asked.is_not(None)),
    )
    return session.scalar(waiting.limit(1)) is not None


def _of_issue(session: Session, newsletter_id: int, public_id: str, *, lock: bool) -> Target:
    mine = select(Issue).where(
        Issue.newsletter_id == newsletter_id,
        Issue.public_id == public_id,
        Issue.is_test.is_(False),
        Issue.urgent_release_id.is_(None),
    )
    locked = mine.with_for_update(key_share=True).execution_options(populate_existing=True)
    issue = session.scalar(locked if lock else mine)
    if issue is None:
        raise NotFound(f"There is no issue {public_id} with an order.")
    name = public_id if issue.slot is None else str(issue.slot)
    closed = ""
    if issue.state not in {IssueState.HELD, IssueState.SCHEDULED}:
        closed = f"{issue.title} is {issue.state}, so its order stays as it is."
    elif issue.approved_by:
        closed = f"{issue.approved_by} approved {issue.title} as it is, so its order stays."
    frequencies = tuple(Frequency(each) for each in issue.frequencies)
    return Target(newsletter_id, name, issue.title, frequencies, issue.to_sequence, issue.slot, issue, closed)
