"""Decide the next step after an attempt: accepted, deferred with a back-off, rejected, uncertain. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.models import DeliveryState
from newsletter.smtp.outcomes import Fate, Outcome
from newsletter.smtp.refusals import setup_fault

# Codes of replies that may ask us to send slower. 421 and 454 always do, with any text.
SLOW_DOWN_CODES = {421, 450, 451, 452, 454}
# Mail system full, not accepting messages, congested (RFC 3463, sections 3.4 and 3.5).
_BUSY = {"4.3.1", "4.3.2", "4.4.5"}
_TOO_FAST = re.compile(
    r"\brate\b|too (?:many|much|fast|quick)|throttl|slow(?:er| down)|\blimits?\b|exceed|\bbusy\b|overload"
    r"|congest|insufficient system|\bload\b",
    re.IGNORECASE,
)
_ONLY_THIS_ONE = re.compile(
    r"gr[ae]y-? ?list|postgrey|mailbox|storage allocation|over ?quota|quota exceeded", re.IGNORECASE
)


# While the relay refuses our settings, a refused delivery waits no longer than this.
SETUP_LONGEST = timedelta(minutes=20)
# The wait of a message that was claimed while no connection to the relay was possible.
UNOFFERED = timedelta(seconds=30)


@dataclass(frozen=True)
class Backoff:
    """How long a delivery waits between attempts: the wait doubles, with jitter, up to `give_up` in total.

    RFC 5321, section 4.5.4.1, suggests at least half an hour between attempts after a 4yz reply, and to give
    up after four to five days.
    """

    first: timedelta = timedelta(minutes=2)
    longest: timedelta = timedelta(hours=4)
    give_up: timedelta = timedelta(days=4)

    def delay(self, attempt: int, jitter: float) -> timedelta:
        """Return the wait after attempt number `attempt`. `jitter`, 0 to 1, changes it by up to a quarter."""
        doubled: timedelta = self.first * 2 ** min(attempt - 1, 16)
        wait = min(doubled, self.longest)
        return wait * (0.75 + 0.5 * jitter)

    def tried_for(self, attempt: int, age: timedelta) -> timedelta:
        """Return for how long a delivery made `age` ago has been tried by attempt number `attempt`.

        The result is at most the sum of the waits between the attempts. Days in a paused issue do not count,
        nor days in the queue of a relay with a daily limit. No relay refused the message in that time.
        """
        return min(age, sum((self.delay(each, 1.0) for each in range(1, attempt)), timedelta()))


@dataclass(frozen=True)
class NextStep:
    """The next state, when it is due again, and whether the reply says that the mailbox does not exist.

    If not `counted`, the attempt does not count, because the relay decided nothing about this recipient.
    """

    state: DeliveryState
    due_at: datetime | None = None
    hard_bounce: bool = False
    counted: bool = True


def next_step(
    outcome: Outcome,
    *,
    attempt: int,
    age: timedelta,
    now: datetime,
    resend_uncertain: bool,
    jitter: float,
    backoff: Backoff | None = None,
    made_ago: timedelta = timedelta(),
    others_accepted: bool = False,
) -> NextStep:
    """Return what follows attempt number `attempt`, counted from 1, of a delivery tried for `age`.

    A relay that refuses our sender, EHLO name or account (smtp/refusals.py) says nothing about this
    recipient. So the delivery is not rejected. The exception is `others_accepted`: if the relay accepts our
    other emails, a delivery made longer than `give_up` ago is rejected by this reply.

    If no reply came after the final dot, the relay may have the message (RFC 1047). Sending again might
    deliver twice, so the delivery waits for a person, unless `resend_uncertain`. A 5yz reply with a status
    5.1.x says that there is no such mailbox (RFC 3463, section 3.2).
    """
    backoff = backoff or Backoff()
    again = NextStep(DeliveryState.DEFERRED, now + backoff.delay(attempt, jitter))
    if outcome.accepted:
        return NextStep(DeliveryState.ACCEPTED)
    contradicted = others_accepted and made_ago > backoff.give_up
    if setup_fault(outcome) is not None and not contradicted:
        # Due later than the next test message to this relay, so that another delivery is the test.
        wait = min(max(made_ago, backoff.first), SETUP_LONGEST)
        return NextStep(DeliveryState.DEFERRED, now + wait * (0.75 + 0.5 * jitter), counted=False)
    if outcome.fate is Fate.SKIPPED or (outcome.fate is Fate.UNSENT and outcome.step is None):
        # Nothing of this message was sent. The relay may be unreachable for days, so no attempt is counted.
        wait = UNOFFERED * (0.75 + 0.5 * jitter) if outcome.fate is Fate.UNSENT else timedelta()
        return NextStep(DeliveryState.QUEUED, now + wait, counted=False)
    if outcome.fate is Fate.UNCERTAIN:
        goes_again = resend_uncertain and age <= backoff.give_up
        return again if goes_again else NextStep(DeliveryState.UNCERTAIN)
    permanent = outcome.reply is not None and outcome.reply.permanent
    # A message that cannot be built says nothing about the recipient, so it never gets too old.
    too_old = age > backoff.give_up and outcome.fate is not Fate.UNBUILT
    if permanent or too_old:
        return NextStep(DeliveryState.REJECTED, hard_bounce=permanent and says_no_such_mailbox(outcome))
    return again


def asks_to_slow_down(outcome: Outcome) -> bool:
    """Return whether the relay asked us to send slower, and not only to send this message later.

    421 and 454 always ask for it. 450, 451 and 452 may also mean greylisting, or concern one mailbox (status
    4.2.z). Then this delivery waits with its own back-off, and the rate does not change.
    """
    reply = outcome.reply
    if outcome.fate is not Fate.REPLIED or reply is None or reply.local or reply.code not in SLOW_DOWN_CODES:
        return False
    if reply.code in {421, 454}:
        return True
    if reply.status.startswith("4.2.") or _ONLY_THIS_ONE.search(reply.text):
        return False
    return reply.status in _BUSY or _TOO_FAST.search(reply.text) is not None


# Prefixes of statuses about one mailbox: its address (5.1.z), its state (5.2.z), its characters (5.6.7).
# 5.1.7 and 5.1.8 are about the sender's address.
ABOUT_A_MAILBOX = (
    *("5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.5", "5.1.6", "5.1.9"),
    *("5.2.", "5.6.7"),
)


def blames_the_sender(code: int | None, status: str | None) -> bool:
    """Return whether a reply is permanent and not about one mailbox (RFC 3463, RFC 6531)."""
    return code is not None and 500 <= code < 600 and not (status or "").startswith(ABOUT_A_MAILBOX)


def says_no_such_mailbox(outcome: Outcome) -> bool:
    """Return whether a reply says that there is no such mailbox or domain (RFC 3463, section 3.2).

    This counts at any step, because some relays check the recipient only after the content.
    """
    reply = outcome.reply
    return (
        reply is not None
        and not reply.local
        and reply.status.startswith("5.1.")
        and reply.status.startswith(ABOUT_A_MAILBOX)
    )
