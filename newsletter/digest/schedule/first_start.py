"""What an owner should have seen before a schedule sends for the first time. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.messages.sender import Sender
from newsletter.models import Issue
from newsletter.outbox.pacing.setup.relay_checks import PASSED, last_checks


class Step(NamedTuple):
    """A step before the start: whether it is done, and a sentence that says so or says what to do."""

    is_done: bool
    sentence: str


def steps_before_start(session: Session, sender: Sender) -> Sequence[Step]:
    """Return the steps in their order: the sender's address, a relay check, and a sample."""
    checked = any(check.verdict == PASSED for _, check in last_checks(session, [sender]))
    sample = select(Issue.id).where(Issue.newsletter_id == sender.newsletter_id, Issue.is_test.is_(True))
    sampled = session.scalar(sample.limit(1)) is not None
    return [
        Step(is_done=True, sentence=f"Emails come from {sender.identity.from_address}."),
        Step(checked, "The relay check passed." if checked else "Check the relay: newsletter relay check"),
        Step(
            sampled,
            "A test digest was sent." if sampled else "Send yourself a test digest on the page “Preview”.",
        ),
    ]
