"""The history of a person's returned emails. Only this module adds steps to it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter.models import BounceStep, StepKind, Subscriber, insert_new
from newsletter.models.tables.subscriber import went_to_present_address

# The reason of a reset: the person pressed the button of a probe email.
STAYED = "stayed"


class Step(NamedTuple):
    """A step to be added, with the columns of BounceStep."""

    kind: StepKind
    subscriber_id: int
    reason: str = ""
    status: str = ""
    delivery_id: int | None = None
    report_id: int | None = None
    sent_at: datetime | None = None
    asks_probe: bool = False
    actor: str = ""


def add(session: Session, step: Step, now: datetime) -> int | None:
    """Add a step; return its id. Commits nothing.

    Returns None if it is a failure of an email that has failed before: each email fails once. A step about an
    email to a former address has no domain.
    """
    values = step._asdict() | {"at": now, "domain": _domain(session, step)}
    values["status"] = step.status[:12]
    fresh = insert_new(session, BounceStep).values(**values)
    added: int | None = session.scalar(fresh.returning(BounceStep.id))
    return added


def forget_address(session: Session, subscriber_id: int) -> None:
    """Mark the steps so far as those of a former address, which do not count against the new one.

    A step without a domain is about a former address. What happened and when is kept, for rates.
    """
    theirs = update(BounceStep).where(BounceStep.subscriber_id == subscriber_id, BounceStep.domain != "")
    session.execute(theirs.values(domain="").execution_options(synchronize_session=False))


def _domain(session: Session, step: Step) -> str:
    columns = (Subscriber.email_key, Subscriber.address_since)
    key, since = session.execute(select(*columns).where(Subscriber.id == step.subscriber_id)).one()
    if step.sent_at is not None and not went_to_present_address(since, step.sent_at):
        return ""
    return (key or "").rpartition("@")[2][:255]
