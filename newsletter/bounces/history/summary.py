"""Count returned mail for the owner: by issue, by recipient domain, and by reason over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from newsletter.models import BounceStep, Delivery, DeliveryState, Issue, StepKind
from newsletter.outbox.refused.outcome_keys import domain_number, microseconds
from newsletter.tokens import Tokens

MOST_ISSUES = 12
MOST_DOMAINS = 15
COUNTED = (StepKind.HARD, StepKind.SOFT, StepKind.POLICY, StepKind.COMPLAINT)


@dataclass(frozen=True)
class Returned:
    """How many emails were answered by a relay, and how many of them failed or were complained about.

    `hard` found no mailbox, `soft` failed for another reason of the mailbox, `policy` for one of the sender.
    """

    sent: int
    hard: int = 0
    soft: int = 0
    policy: int = 0
    complaint: int = 0

    def percent(self, kind: str) -> float:
        """Return how many of a hundred emails this is."""
        return 100 * int(getattr(self, kind)) / self.sent if self.sent else 0.0


@dataclass(frozen=True)
class IssueReturned:
    """How many emails of one issue were answered, and how many of them failed."""

    public_id: str
    title: str
    newsletter_id: int
    created_at: datetime
    numbers: Returned


@dataclass(frozen=True)
class DomainReturned:
    """How many emails to one recipient domain were answered, and how many of them failed."""

    domain: str
    numbers: Returned


def count_by_issue(session: Session, newsletter_id: int | None = None) -> Sequence[IssueReturned]:
    """Return the numbers of the newest issues with an accepted email, the oldest first."""
    reached = select(Delivery.id).where(
        Delivery.issue_id == Issue.id, Delivery.state == DeliveryState.ACCEPTED
    )
    query = (
        select(Issue)
        .where(Issue.is_test.is_(False), reached.exists())
        .order_by(Issue.id.desc())
        .limit(MOST_ISSUES)
    )
    if newsletter_id is not None:
        query = query.where(Issue.newsletter_id == newsletter_id)
    issues = sorted(session.scalars(query), key=lambda each: each.id)
    found = _failures_of(
        session, [each.id for each in issues], min((each.created_at for each in issues), default=None)
    )
    return [
        IssueReturned(
            each.public_id,
            each.title,
            each.newsletter_id,
            each.created_at,
            Returned(_answered(session, each.id), **found.get(each.id, {})),
        )
        for each in issues
    ]


def _answered(session: Session, issue_id: int) -> int:
    """Return how many emails of an issue a relay accepted or rejected. An index has these."""
    answered = (DeliveryState.ACCEPTED, DeliveryState.REJECTED)
    mine = select(func.count()).where(Delivery.issue_id == issue_id, Delivery.state.in_(answered))
    return session.scalar(mine) or 0


def _failures_of(
    session: Session, issues: Sequence[int], since: datetime | None
) -> Mapping[int, dict[str, int]]:
    if since is None:
        return {}
    counted = session.execute(
        select(Delivery.issue_id, BounceStep.kind, func.count())
        .join(Delivery, Delivery.id == BounceStep.delivery_id)
        .where(*_counts(since), Delivery.issue_id.in_(issues))
        .group_by(Delivery.issue_id, BounceStep.kind)
    )
    found: dict[int, dict[str, int]] = {}
    for issue_id, kind, number in counted:
        found.setdefault(issue_id or 0, {})[kind.value] = number
    return found


def count_by_domain(session: Session, tokens: Tokens, since: datetime) -> Sequence[DomainReturned]:
    """Return the numbers of the domains with the most returned mail since then, the most first."""
    number = func.count()
    most = session.execute(
        select(BounceStep.domain, number)
        .where(*_counts(since), BounceStep.domain != "")
        .group_by(BounceStep.domain)
        .order_by(number.desc(), BounceStep.domain)
        .limit(MOST_DOMAINS)
    ).all()
    names = [domain for domain, _ in most]
    counted = session.execute(
        select(BounceStep.domain, BounceStep.kind, func.count())
        .where(*_counts(since), BounceStep.domain.in_(names))
        .group_by(BounceStep.domain, BounceStep.kind)
    )
    found: dict[str, dict[str, int]] = {}
    for domain, kind, count in counted:
        found.setdefault(domain, {})[kind.value] = count
    return [
        DomainReturned(each, Returned(_answered_by(session, tokens, each, since), **found.get(each, {})))
        for each in names
    ]


def _answered_by(session: Session, tokens: Tokens, domain: str, since: datetime) -> int:
    key = domain_number(tokens, f"@{domain}")
    mine = select(func.count()).where(
        Delivery.domain_key.is_not(None),
        Delivery.domain_key == key,
        Delivery.answered_microseconds >= microseconds(since),
    )
    return session.scalar(mine) or 0


def count_by_reason(session: Session, since: datetime) -> Mapping[date, Mapping[str, int]]:
    """Return how many emails failed on each day since then, by reason. A complaint counts as a reason."""
    day = _day(session)
    counted = session.execute(
        select(day, BounceStep.kind, BounceStep.reason, func.count())
        .where(*_counts(since))
        .group_by(day, BounceStep.kind, BounceStep.reason)
    )
    found: dict[date, dict[str, int]] = {}
    for at, kind, reason, number in counted:
        there = found.setdefault(date.fromisoformat(str(at)), {})
        name = "complaint" if kind is StepKind.COMPLAINT else reason or "unknown"
        there[name] = there.get(name, 0) + number
    return found


def in_weeks(
    days: Mapping[date, Mapping[str, int]], first: date, last: date
) -> Sequence[tuple[date, Mapping[str, int]]]:
    """Return the sums of each week from the one of `first` to that of `last`, by its Monday. Pure."""
    monday = first - timedelta(days=first.weekday())
    weeks: dict[date, dict[str, int]] = {}
    while monday <= last:
        weeks[monday] = {}
        monday += timedelta(days=7)
    for day, numbers in days.items():
        week = weeks.get(day - timedelta(days=day.weekday()), {})
        for name, number in numbers.items():
            week[name] = week.get(name, 0) + number
    return list(weeks.items())


def _counts(since: datetime) -> tuple[ColumnElement[bool], ...]:
    return BounceStep.at >= since, BounceStep.kind.in_(COUNTED), BounceStep.undone_at.is_(None)


def _day(session: Session) -> ColumnElement[Any]:
    """Return the day of a step in UTC."""
    at: Any = BounceStep.at
    if session.get_bind().dialect.name != "sqlite":
        at = func.timezone("UTC", at)
    return func.date(at)
