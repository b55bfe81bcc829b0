"""Decide whether a refusal by the relay counts against an address, and record it in the person's history."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter import bounce_steps
from newsletter.bounce_steps import Step
from newsletter.models import StepKind
from newsletter.outbox.retry import ABOUT_A_MAILBOX
from newsletter.smtp.replies import Reply

# Trouble of one mailbox or of its domain, by subject and detail (RFC 3463). In the words of
# bounces/read/reasons.py.
_TROUBLES = {
    "1.2": "domain gone", "1.10": "domain gone", "4.4": "domain gone", "2.2": "mailbox full",
    "4.1": "network", "4.2": "network", "4.6": "network", "4.7": "network",
}  # fmt: skip
_BY_SUBJECT = {"1": "no such user", "2": "unknown"}


def mailbox_trouble(status: str) -> str:
    """Return why the relay's last word counts against an address, or "" if it does not.

    It counts if its status is about the mailbox or the domain: 5.1.z and 5.2.z. It counts too if an email was
    tried for days and the last status was 4.1.z, 4.2.z or some of 4.4.z. Other replies say nothing about the
    address. Examples are a busy relay (x.3.z, x.4.5), policy (x.7.z) and an email that is too big (x.2.3).
    """
    detail = status.partition(".")[2]
    if detail in _TROUBLES:
        return _TROUBLES[detail]
    if detail == "2.3" or not f"5.{detail}".startswith(ABOUT_A_MAILBOX):
        return ""
    return _BY_SUBJECT.get(detail.partition(".")[0], "")


def note_refusal(
    session: Session,
    subscriber_id: int | None,
    delivery_id: int,
    reply: Reply | None,
    now: datetime,
    *,
    hard: bool,
) -> None:
    """Record that the relay refused an email because of the mailbox, if it did. Commits nothing."""
    reason = mailbox_trouble(reply.status) if reply else ""
    if reason and reply is not None and not reply.local and subscriber_id is not None:
        kind = StepKind.HARD if hard else StepKind.SOFT
        bounce_steps.add(
            session, Step(kind, subscriber_id, reason, reply.status, delivery_id, sent_at=now), now
        )
