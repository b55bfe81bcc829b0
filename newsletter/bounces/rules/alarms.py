"""Tell the owner when many people complain about an issue, or many of its addresses do not exist.

Above a second, higher rate of complaints, the unsent part of the issue pauses. The caller then makes the next
issue of the newsletter wait for an approval.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from newsletter.models import (
    BounceVerdict,
    Delivery,
    DeliveryState,
    Issue,
    IssueState,
    Newsletter,
    NewsletterCalendar,
)
from newsletter.notices import NoticeKind, find_open, settle_quiet, tell_owner
from newsletter.outbox import control

ACTOR = "returned mail"
# With fewer complaints or bounces, a rate says nothing.
FEW_COMPLAINTS = 5
FEW_BOUNCES = 20
# Issues are watched for this time after they were made, and as long as they are sent.
WATCHED = timedelta(days=14)
# A notice closes this long after its issue was last above the rate.
QUIET = timedelta(days=2)
# The owner was asked about these refusals, because the relay may be wrong.
_ASKED = (BounceVerdict.RELAY, BounceVerdict.DOMAIN, BounceVerdict.ISSUE)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AlarmRule:
    """The rates, in percent, above which the owner is told and an issue pauses. 0 turns one off."""

    complaints: float = 0.1
    bounces: float = 2.0
    pause: float = 0.3


class Counts(NamedTuple):
    """How many emails of an issue the relay accepted, and how many were complained about or found no mailbox.

    `accepted` includes those that came back later.
    """

    accepted: int
    complaints: int
    bounces: int

    @property
    def complaint_percent(self) -> float:
        """Complaints of a hundred accepted emails."""
        return 100 * self.complaints / self.accepted if self.accepted else 0.0

    @property
    def bounce_percent(self) -> float:
        """Hard bounces of a hundred accepted emails."""
        return 100 * self.bounces / self.accepted if self.accepted else 0.0


class Alarm(NamedTuple):
    """What follows from the counts of an issue."""

    complaints: bool
    bounces: bool
    pause: bool


def judge_counts(counts: Counts, rule: AlarmRule) -> Alarm:
    """Return the alarm that the counts of an issue cause. Pure."""
    enough = counts.complaints >= FEW_COMPLAINTS
    return Alarm(
        complaints=enough and 0 < rule.complaints < counts.complaint_percent,
        bounces=counts.bounces >= FEW_BOUNCES and 0 < rule.bounces < counts.bounce_percent,
        pause=enough and 0 < rule.pause < counts.complaint_percent,
    )


def check_rates(session: Session, rule: AlarmRule, now: datetime) -> list[int]:
    """Open the notices that are due and pause issues; return the newsletters whose next issue must wait.

    An issue pauses only once: if a person resumes it, it is not paused again. Commits nothing.
    """
    waiting = []
    for issue_id, counts in _counts(session, now):
        alarm = judge_counts(counts, rule)
        if alarm.bounces:
            issue = session.get_one(Issue, issue_id)
            detail = {"bounces": counts.bounces, "percent": round(counts.bounce_percent, 2)}
            _tell(session, NoticeKind.BOUNCES_HIGH, issue, counts, now, **detail)
        if alarm.complaints or alarm.pause:
            newsletter_id = _complained(session, issue_id, counts, alarm, now)
            waiting += [] if newsletter_id is None else [newsletter_id]
    for kind in (NoticeKind.COMPLAINTS_HIGH, NoticeKind.BOUNCES_HIGH):
        settle_quiet(session, kind, now - QUIET, now)
    return waiting


def _complained(session: Session, issue_id: int, counts: Counts, alarm: Alarm, now: datetime) -> int | None:
    """Tell about the complaints. Return the newsletter if this is the first time that the issue pauses."""
    (issue,) = session.scalars(
        select(Issue)
        .where(Issue.id == issue_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    known = find_open(session, NoticeKind.COMPLAINTS_HIGH, issue.public_id)
    before = dict(known.detail) if known else {}
    first = alarm.pause and not before.get("stopped")
    detail = {name: before.get(name, "") for name in ("what", "remedy")}
    if first:
        detail = _stop(session, issue, now)
        log.warning("event=complaints_high issue=%d complaints=%d", issue.id, counts.complaints)
    percent = round(counts.complaint_percent, 2)
    stopped = bool(first or before.get("stopped"))
    _tell(
        session, NoticeKind.COMPLAINTS_HIGH, issue, counts, now,
        complaints=counts.complaints, percent=percent, stopped=stopped, **detail,
    )  # fmt: skip
    return issue.newsletter_id if first else None


def _stop(session: Session, issue: Issue, now: datetime) -> dict[str, str]:
    """Pause what is unsent of an issue; return the sentences about what waits, and what to do."""
    what, remedy = [], []
    if issue.state is IssueState.SENDING:
        control.pause(session, issue, ACTOR, now)
        issue.note = "Paused by itself: too many people marked it as spam. The overview says what to do."
        what.append("What was not sent yet is paused.")
        remedy.append(f"To send the rest: newsletter digest resume {issue.public_id}.")
    on = select(Newsletter.slug).join(NewsletterCalendar, NewsletterCalendar.newsletter_id == Newsletter.id)
    slug = session.scalar(on.where(Newsletter.id == issue.newsletter_id, NewsletterCalendar.is_on.is_(True)))
    if slug is not None:
        what.append("The newsletter's next issue waits for an approval.")
        remedy.append(f"To send it without one: newsletter bounce go-on {slug}")
    return {"what": " ".join(what), "remedy": " ".join(remedy)}


def _tell(
    session: Session, kind: NoticeKind, issue: Issue, counts: Counts, now: datetime, **detail: object
) -> None:
    page = f"/admin/issues/{issue.public_id}"
    tell_owner(
        session, kind, issue.public_id, now,
        title=issue.title, accepted=counts.accepted, page=page, **detail,
    )  # fmt: skip


def _counts(session: Session, now: datetime) -> Sequence[tuple[int, Counts]]:
    """Return the counts of the watched issues that have enough complaints or bounces for an alarm."""
    watched = select(Issue.id).where(
        Issue.is_test.is_(False),
        or_(
            Issue.created_at >= now - WATCHED,
            Issue.state.in_((IssueState.SENDING, IssueState.PAUSED)),
        ),
    )
    complained = select(Delivery.issue_id, func.count()).where(
        Delivery.complained_at.is_not(None), Delivery.issue_id.in_(watched)
    )
    bounced = select(Delivery.issue_id, func.count()).where(
        Delivery.bounced_at.is_not(None),
        Delivery.issue_id.in_(watched),
        or_(Delivery.verdict.is_(None), Delivery.verdict.not_in(_ASKED)),
    )
    complaints = _by_issue(session, complained)
    bounces = _by_issue(session, bounced)
    many = {issue for issue, count in complaints.items() if count >= FEW_COMPLAINTS}
    many |= {issue for issue, count in bounces.items() if count >= FEW_BOUNCES}
    found = []
    for issue_id in sorted(many):
        mine = select(func.count()).where(
            Delivery.issue_id == issue_id, Delivery.state == DeliveryState.ACCEPTED
        )
        bounced_here = bounces.get(issue_id, 0)
        accepted = (session.scalar(mine) or 0) + bounced_here
        found.append((issue_id, Counts(accepted, complaints.get(issue_id, 0), bounced_here)))
    return found


def _by_issue(session: Session, query: Select[int | None, int]) -> dict[int, int]:
    rows = session.execute(query.group_by(Delivery.issue_id))
    return {issue_id: count for issue_id, count in rows if issue_id is not None}
