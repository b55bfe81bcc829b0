"""Query the history of a person's returned emails, for pages and commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from newsletter.models import FAILURES, BounceStep, Delivery, Issue, ReturnedMail, StepKind, Subscriber

STEP_WORDS: Mapping[StepKind, str] = {
    StepKind.HARD: "An email failed: no such mailbox",
    StepKind.SOFT: "An email failed, and it counts",
    StepKind.POLICY: "An email was refused because of policy",
    StepKind.COMPLAINT: "Marked an email as spam",
    StepKind.DOUBTED: "A refusal was not believed",
    StepKind.PROBED: "A probe email was sent",
    StepKind.PROBE_PASSED: "The probe email arrived",
    StepKind.PROBE_FAILED: "The probe email failed",
    StepKind.PROBE_ENDED: "The probe ended without a result",
    StepKind.RESET: "Earlier failures no longer count",
    StepKind.SUPPRESSED: "Emails stopped",
    StepKind.LIFTED: "Emails allowed again",
    StepKind.UNDONE: "A step was undone",
}


class StepRow(NamedTuple):
    """One step, with the server's words and the email that it is about.

    `email` is the title of an issue, or the kind of a single email.
    """

    id: int
    at: datetime
    kind: StepKind
    reason: str
    status: str
    delivery_id: int | None
    report_id: int | None
    sent_at: datetime | None
    actor: str
    undone_at: datetime | None
    words: str
    email: str

    @property
    def sentence(self) -> str:
        """What happened, in English."""
        return STEP_WORDS[self.kind]

    def as_record(self) -> Mapping[str, object]:
        """Return it as a mapping, for JSON."""
        moments = {"at": self.at, "sent_at": self.sent_at, "undone_at": self.undone_at}
        written = {name: None if each is None else each.isoformat() for name, each in moments.items()}
        return self._asdict() | written | {"kind": self.kind.value}


def list_steps(session: Session, subscriber_id: int, limit: int = 200) -> Sequence[StepRow]:
    """Return the newest steps of a person, the newest first."""
    # A failure without a report is the relay's refusal. Its reply to other emails explains no step.
    reply = case((BounceStep.kind.in_(FAILURES), Delivery.reply_text))
    query = (
        select(
            BounceStep.id, BounceStep.at, BounceStep.kind, BounceStep.reason, BounceStep.status,
            BounceStep.delivery_id, BounceStep.report_id, BounceStep.sent_at, BounceStep.actor,
            BounceStep.undone_at,
            func.coalesce(ReturnedMail.words, reply, ""),
            func.coalesce(Issue.title, Delivery.template, ""),
        )
        .outerjoin(ReturnedMail, ReturnedMail.id == BounceStep.report_id)
        .outerjoin(Delivery, Delivery.id == BounceStep.delivery_id)
        .outerjoin(Issue, Issue.id == Delivery.issue_id)
        .where(BounceStep.subscriber_id == subscriber_id)
        .order_by(BounceStep.at.desc(), BounceStep.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [StepRow._make(row) for row in session.execute(query)]


def list_steps_of(session: Session, email_key: str, limit: int = 200) -> Sequence[StepRow]:
    """Return the newest steps of the person with this address, the newest first."""
    whose = session.scalar(select(Subscriber.id).where(Subscriber.email_key == email_key))
    return [] if whose is None else list_steps(session, whose, limit)
