"""The approval of a scheduled issue: which dates wait for it, give it, and tell of later corrections.

A date that needs an approval has a row of SlotApproval. No wave of the date is prepared before its approval.
approval_dates.py adds these rows, asks, and closes dates that nobody approved in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import cache
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from newsletter import audit
from newsletter.calendar.plan import Calendar, Hour
from newsletter.calendar.rules import DATED
from newsletter.calendar.store import find_calendar, hours_in_use, load_calendar
from newsletter.digest.order.store import require_version
from newsletter.digest.select import Audience
from newsletter.errors import NotFound, StateConflict
from newsletter.messages.digests.note import read_note
from newsletter.models import (
    Frequency,
    Newsletter,
    NewsletterCalendar,
    Release,
    ReleaseRevision,
    ReleaseTopic,
    SlotApproval,
    Topic,
    Wave,
)
from newsletter.notices import NoticeKind, settle, tell_owner

# The titles that a notice names.
MOST_TITLES = 5
# How many hours ahead we ask, if only the next issue has to be approved.
HOURS_AHEAD = 24


class OpenApproval(NamedTuple):
    """A date of a newsletter that waits for an approval."""

    slug: str
    slot: date
    first_at: datetime
    asked_at: datetime | None


def waits_for_approval(
    newsletter_id: InstrumentedAttribute[int], slot: InstrumentedAttribute[date]
) -> ColumnElement[bool]:
    """Return the SQL condition that a date waits for an approval."""
    return exists().where(
        SlotApproval.newsletter_id == newsletter_id,
        SlotApproval.slot == slot,
        SlotApproval.approved_at.is_(None),
        SlotApproval.ended_at.is_(None),
    )


def find_approval(session: Session, newsletter_id: int, slot: date) -> SlotApproval | None:
    """Return the row of a date, if the date needs or needed an approval."""
    return session.get(SlotApproval, (newsletter_id, slot), populate_existing=True)


def open_approvals(session: Session, newsletter_id: int | None = None) -> list[OpenApproval]:
    """Return the dates (of a newsletter) that wait for an approval, the first one first."""
    chosen = (
        select(Newsletter.slug, SlotApproval.slot, SlotApproval.first_at, SlotApproval.asked_at)
        .join(Newsletter, Newsletter.id == SlotApproval.newsletter_id)
        .where(SlotApproval.approved_at.is_(None), SlotApproval.ended_at.is_(None))
        .order_by(SlotApproval.first_at, Newsletter.slug)
    )
    if newsletter_id is not None:
        chosen = chosen.where(SlotApproval.newsletter_id == newsletter_id)
    return [OpenApproval(*each) for each in session.execute(chosen)]


def open_rows(session: Session, newsletter_id: int) -> Sequence[SlotApproval]:
    """Return the rows of a newsletter whose dates are not over."""
    chosen = select(SlotApproval).where(
        SlotApproval.newsletter_id == newsletter_id, SlotApproval.ended_at.is_(None)
    )
    return session.scalars(chosen.order_by(SlotApproval.slot)).all()


def approve(
    session: Session,
    newsletter_id: int,
    slot: date,
    to_sequence: int,
    shown_at: datetime,
    *,
    actor: str,
    now: datetime,
    note: str = "",
    note_language: str = "",
    order_version: int | None = None,
) -> None:
    """Approve the issue of a date with the releases up to `to_sequence`. Commits nothing.

    `to_sequence`, `shown_at` and `order_version` are those of the preview that the approver saw. The last is
    the version of the manual order. Waves whose instant has passed are prepared now. `note` is the editor's
    note in Markdown. Raises NotFound if the date waits for no approval, and InputError if the note cannot be
    used. Raises StateConflict if the date was approved, is over, or has another order by now.
    """
    read_note(note, note_language)
    # The clock holds this lock while it opens waves and closes dates.
    calendar = find_calendar(session, newsletter_id, lock=True)
    row = find_approval(session, newsletter_id, slot)
    if row is None:
        raise NotFound(f"No issue for {slot} waits for an approval.")
    if row.approved_at is not None:
        raise StateConflict(f"The issue for {slot} was approved already.")
    if row.ended_at is not None:
        raise StateConflict(
            f"The issue for {slot} was not approved in time. The next issue brings its releases."
        )
    require_version(session, newsletter_id, str(slot), order_version)
    row.approved_at, row.approved_by = now, actor
    if calendar is not None:
        calendar.approve_next = False
    row.to_sequence, row.shown_at = to_sequence, shown_at
    row.editors_note, row.note_language = note.strip(), note_language
    slug = session.get_one(Newsletter, newsletter_id).slug
    settle_questions(session, slug, slot, now)
    audit.record(session, actor, "issue.approve", slug, now, slot=str(slot), to_sequence=to_sequence)


def hours_ahead(row: NewsletterCalendar) -> int | None:
    """Return how many hours before a date its approval is asked for, or None if it needs none."""
    if row.approval_hours is None and row.approve_next:
        return HOURS_AHEAD
    return row.approval_hours


def require_next(session: Session, newsletter_id: int, actor: str, now: datetime) -> bool:
    """Let a newsletter's next issue wait for an approval, whatever its schedule says. Commits nothing.

    An approval or `stop_requiring_next` ends that. Issues as they happen wait too. Returns False if the
    schedule is off or waits already.
    """
    row = find_calendar(session, newsletter_id, lock=True)
    if row is None or not row.is_on or row.approve_next:
        return False
    row.approve_next, row.next_at = True, None
    slug = session.get_one(Newsletter, newsletter_id).slug
    audit.record(session, actor, "schedule.approve_next", slug, now)
    return True


def stop_requiring_next(session: Session, newsletter_id: int, actor: str, now: datetime) -> bool:
    """End the wait that `require_next` began; return whether there was one. Commits nothing."""
    row = find_calendar(session, newsletter_id, lock=True)
    if row is None or not row.approve_next:
        return False
    row.approve_next, row.next_at = False, None
    slug = session.get_one(Newsletter, newsletter_id).slug
    audit.record(session, actor, "schedule.go_on", slug, now)
    return True


def withdraw(session: Session, newsletter_id: int, slot: date, *, actor: str, now: datetime) -> None:
    """Withdraw an approval, so that the issue waits for another one. Commits nothing.

    Raises NotFound if the date has no approval, and StateConflict if its first emails were prepared.
    """
    calendar = find_calendar(session, newsletter_id, lock=True)
    row = find_approval(session, newsletter_id, slot)
    if calendar is None or row is None or row.approved_at is None:
        raise NotFound(f"The issue for {slot} is not approved.")
    if has_begun(session, newsletter_id, slot, lock=True):
        raise StateConflict(
            f"The issue for {slot} is being sent, so its approval stands. Pause or cancel it on its page."
        )
    row.approved_at, row.approved_by = None, ""
    row.to_sequence = row.shown_at = None
    row.editors_note = row.note_language = ""
    # The clock asks again. Without this mark, a schedule that needs no approvals would forget the date.
    row.asked_at, row.reminders = None, 0
    calendar.approve_next |= calendar.approval_hours is None
    slug = session.get_one(Newsletter, newsletter_id).slug
    settle(session, NoticeKind.APPROVED_CHANGED, subject_of(slug, slot), now)
    audit.record(session, actor, "issue.withdraw_approval", slug, now, slot=str(slot))


def has_begun(session: Session, newsletter_id: int, slot: date, *, lock: bool = False) -> bool:
    """Return whether the issue of a date has emails, or its first wave is being prepared."""
    waves = select(Wave).where(Wave.newsletter_id == newsletter_id, Wave.slot == slot).order_by(Wave.id)
    # A wave that is prepared at this moment is locked, and has changed when we get the lock.
    found = session.scalars(
        (waves.with_for_update() if lock else waves).execution_options(populate_existing=True)
    ).all()
    return any(each.issue_id is not None or each.prepared_to or each.to_sequence for each in found)


def was_missed(session: Session, newsletter_id: int, slot: date) -> bool:
    """Return whether a date is over because nobody approved it in time."""
    row = find_approval(session, newsletter_id, slot)
    return row is not None and row.ended_at is not None and row.approved_at is None


def frequencies_on(session: Session, newsletter_id: int, slot: date) -> tuple[Frequency, ...]:
    """Return the frequencies that a date of a newsletter's calendar is for."""
    row = find_calendar(session, newsletter_id)
    return () if row is None else frequencies_of(load_calendar(session, row), hours_in_use(session), slot)


def frequencies_of(calendar: Calendar, hours: Iterable[Hour], slot: date) -> tuple[Frequency, ...]:
    """Return the frequencies that a date is for."""
    due = {each for hour in hours for each in calendar.due(hour, slot)}
    return tuple(each for each in DATED if each in due)


def dates_to_compare(session: Session) -> list[int]:
    """Return the newsletters in which a release may have been corrected after an approval."""
    return list(session.scalars(_dates_to_compare()))


@cache
def _dates_to_compare() -> Select[int]:
    corrected = exists().where(ReleaseRevision.made_at > SlotApproval.shown_at)
    chosen = select(SlotApproval.newsletter_id).where(
        SlotApproval.ended_at.is_(None), SlotApproval.approved_at.is_not(None), corrected
    )
    return chosen.distinct().order_by(SlotApproval.newsletter_id)


def tell_of_corrections(session: Session, newsletter_id: int, now: datetime) -> None:
    """Tell the approver of texts that were corrected after they saw the preview. Commits nothing."""
    row = find_calendar(session, newsletter_id, lock=True)
    if row is None:
        return
    slug = session.get_one(Newsletter, newsletter_id).slug
    for approval in open_rows(session, newsletter_id):
        if approval.shown_at is None or approval.to_sequence is None:
            continue
        # Only releases that still wait for a subscriber. What was sent has the old text.
        floor = Audience(newsletter_id, DATED).floor(session) or 0
        titles = session.scalars(
            select(Release.title)
            .where(
                exists().where(
                    ReleaseTopic.release_id == Release.id,
                    ReleaseTopic.topic_id == Topic.id,
                    Topic.newsletter_id == newsletter_id,
                    ReleaseTopic.sequence > floor,
                    ReleaseTopic.sequence <= approval.to_sequence,
                ),
                exists().where(
                    ReleaseRevision.release_id == Release.id,
                    ReleaseRevision.number > 1,
                    ReleaseRevision.made_at > approval.shown_at,
                ),
            )
            .order_by(Release.id)
        ).all()
        approval.shown_at = now
        if titles:
            said = ", ".join(f"“{each}”" for each in titles[:MOST_TITLES])
            detail = {
                "newsletter": slug, "date": str(approval.slot), "send_to": row.approver,
                "titles": said + (f" and {len(titles) - MOST_TITLES} more" if titles[MOST_TITLES:] else ""),
            }  # fmt: skip
            kind, subject = NoticeKind.APPROVED_CHANGED, subject_of(slug, approval.slot)
            settle(session, kind, subject, now)
            tell_owner(session, kind, subject, now, **detail)


def settle_questions(session: Session, slug: str, slot: date, now: datetime) -> None:
    """Close the notices that ask for the approval of a date."""
    for kind in (NoticeKind.APPROVAL_ASKED, NoticeKind.APPROVAL_REMINDER):
        settle(session, kind, subject_of(slug, slot), now)


def subject_of(slug: str, slot: date) -> str:
    """Return the subject of the notices about a date."""
    return f"{slug} {slot}"
