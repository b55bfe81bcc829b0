"""Whether a batch of outcomes is bad enough to count the refusals of all processes."""

from __future__ import annotations

import pytest

from newsletter.outbox.pacing.relay_failures import is_suspicious
from newsletter.smtp.outcomes import Fate, Outcome, Step
from newsletter.smtp.replies import Reply

ACCEPTED = Outcome(Fate.REPLIED, Step.CONTENT, Reply(250, ("2.0.0 ok",)))
BLOCKED = Outcome(Fate.REPLIED, Step.RCPT, Reply(550, ("5.7.1 blocked",)))
DEAD = Outcome(Fate.REPLIED, Step.RCPT, Reply(550, ("5.1.1 no such user",)))
LATER = Outcome(Fate.REPLIED, Step.RCPT, Reply(451, ("4.7.1 later",)))
LOST = Outcome(Fate.UNSENT)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], False),
        ([ACCEPTED], False),
        ([BLOCKED], True),
        ([BLOCKED] * 9 + [ACCEPTED], True),
        ([BLOCKED] * 8 + [ACCEPTED] * 2, False),
        ([DEAD] * 10, False),
        # A deferred message and a lost connection decide nothing.
        ([BLOCKED, LATER, LATER, LOST], True),
        ([LATER, LOST], False),
    ],
)
def test_only_nearly_all_refusals_that_concern_no_mailbox_are_suspicious(outcomes, expected):
    assert is_suspicious(outcomes) is expected
