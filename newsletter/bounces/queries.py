"""Queries for reports that came back, for commands and pages."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import NotFound
from newsletter.models import ReportOutcome, ReturnedMail, Subscriber


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
        return self._asdict()


def list_reports(
    session: Session, *, outcome: ReportOutcome | None = None, email_key: str | None = None, limit: int = 100
) -> Sequence[ReportRow]:
    """Return the newest reports, of one outcome or about the emails to one address."""
    query = (
        select(
            ReturnedMail.id, ReturnedMail.received_at, ReturnedMail.outcome, ReturnedMail.reason,
            ReturnedMail.status, ReturnedMail.words, Subscriber.public_id,
        )
        .outerjoin(Subscriber, Subscriber.id == ReturnedMail.subscriber_id)
        .order_by(ReturnedMail.received_at.desc(), ReturnedMail.id.desc())
        .limit(limit)
    )  # fmt: skip
    if outcome is not None:
        query = query.where(ReturnedMail.outcome == outcome)
    if email_key is not None:
        query = query.where(Subscriber.email_key == email_key)
    return [ReportRow(*row) for row in session.execute(query)]


def read_message(session: Session, number: int) -> bytes:
    """Return the first part of the message of a report. Raises NotFound if it is not kept any more."""
    packed = session.scalar(select(ReturnedMail.raw).where(ReturnedMail.id == number))
    if packed is None:
        raise NotFound(f"no message is kept of report {number}")
    return zlib.decompress(packed)
