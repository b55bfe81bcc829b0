"""Queries for reports that came back, for commands and pages."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from newsletter.errors import NotFound
from newsletter.models import Delivery, Issue, ReportOutcome, ReturnedMail, Subscriber

PER_PAGE = 50


class ReportRow(NamedTuple):
    """One report, without its message."""

    id: int
    received_at: datetime
    outcome: ReportOutcome
    reason: str
    status: str
    words: str
    subscriber: str | None

    def as_record(self) -> Mapping[str, object]:
        """Return it as a mapping, for JSON."""
        return self._asdict() | {"received_at": self.received_at.isoformat()}


def list_reports(
    session: Session,
    *,
    outcome: ReportOutcome | None = None,
    email_key: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> Sequence[ReportRow]:
    """Return the newest reports, of one outcome, about the emails to one address, or before number `before`.

    They are ordered by their numbers, which is the order in which they were recorded.
    """
    query = (
        select(
            ReturnedMail.id, ReturnedMail.received_at, ReturnedMail.outcome, ReturnedMail.reason,
            ReturnedMail.status, ReturnedMail.words, Subscriber.public_id,
        )
        .outerjoin(Subscriber, Subscriber.id == ReturnedMail.subscriber_id)
        .order_by(ReturnedMail.id.desc())
        .limit(limit)
    )  # fmt: skip
    if outcome is not None:
        query = query.where(ReturnedMail.outcome == outcome)
    if before is not None:
        # No number is larger than the database can hold.
        query = query.where(ReturnedMail.id < min(before, 2**62))
    if email_key is not None:
        query = query.where(Subscriber.email_key == email_key)
    return [ReportRow(*row) for row in session.execute(query)]


@dataclass(frozen=True)
class ReportDetail:
    """One report: its row, the email that it is about, and whether its message is kept."""

    row: ReportRow
    email: str
    issue: str | None
    sent_at: datetime | None
    label: str
    is_kept: bool


def find_report(session: Session, number: int) -> ReportDetail:
    """Return one report. Raises NotFound."""
    found = session.execute(
        select(
            ReturnedMail, Subscriber, func.coalesce(Issue.title, Delivery.template, ""), Issue.public_id,
            Delivery.settled_at,
        )
        .outerjoin(Subscriber, Subscriber.id == ReturnedMail.subscriber_id)
        .outerjoin(Delivery, Delivery.id == ReturnedMail.delivery_id)
        .outerjoin(Issue, Issue.id == Delivery.issue_id)
        .where(ReturnedMail.id == number)
        .options(defer(ReturnedMail.raw))
    ).one_or_none()  # fmt: skip
    if found is None:
        raise NotFound(f"there is no report {number}")
    mail, person, email, issue, sent_at = found
    kept = session.scalar(select(ReturnedMail.raw.is_not(None)).where(ReturnedMail.id == number))
    row = ReportRow(
        mail.id, mail.received_at, mail.outcome, mail.reason, mail.status, mail.words,
        person.public_id if person else None,
    )  # fmt: skip
    return ReportDetail(row, email, issue, sent_at, person.label if person else "", bool(kept))


def page_of_reports(
    session: Session, outcome: ReportOutcome | None, before: int | None
) -> tuple[Sequence[ReportRow], int | None]:
    """Return the newest reports older than number `before`, and the number at which the next page begins."""
    rows = list_reports(session, outcome=outcome, before=before, limit=PER_PAGE + 1)
    return rows[:PER_PAGE], rows[PER_PAGE - 1].id if len(rows) > PER_PAGE else None


def read_message(session: Session, number: int) -> bytes:
    """Return the first part of the message of a report. Raises NotFound if it is not kept any more."""
    packed = session.scalar(select(ReturnedMail.raw).where(ReturnedMail.id == number))
    if packed is None:
        raise NotFound(f"no message is kept of report {number}")
    return zlib.decompress(packed)
