"""Collect the outcomes of one drain, record them in batches, and pause issues that fail. It commits."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from newsletter.mail.redact import without_addresses
from newsletter.messages.claimed import Claimed
from newsletter.messages.sender import Sender
from newsletter.models import Lane
from newsletter.outbox.drain.claimer import Claimer
from newsletter.outbox.drain.held import LOOK_SECONDS, Held
from newsletter.outbox.erasure_emails import LAST_EMAIL, forget_recipients
from newsletter.outbox.pacing.allowance import Allowance
from newsletter.outbox.pacing.relay_failures import is_suspicious, pause_if_refused
from newsletter.outbox.pacing.setup.wait import note_refusal
from newsletter.outbox.pacing.warm_up import WarmUpBooks
from newsletter.outbox.parts import Parts
from newsletter.outbox.record import Attempt, record
from newsletter.outbox.refused.judge import pause_if_wrong
from newsletter.outbox.refused.outcome_keys import relay_number
from newsletter.outbox.refused.verdict import IN_A_ROW, STRETCH
from newsletter.outbox.retry import says_no_such_mailbox
from newsletter.outbox.unbuildable import pause_if_unbuildable
from newsletter.smtp.outcomes import Fate, Outcome, Result
from newsletter.smtp.refusals import SetupFault, setup_fault

log = logging.getLogger(__name__)

RECORDED_AT_ONCE = 1000
LONGEST_FAULT = 200
# Outcomes of emails that the relay was offered.
OFFERED = frozenset({Fate.REPLIED, Fate.UNCERTAIN})


class Recorder:
    """Records the outcomes of one drain. One thread uses it. `handled` is how many messages were sent."""

    def __init__(
        self,
        parts: Parts,
        allowance: Allowance,
        claimer: Claimer,
        held: Held,
        warm_up: WarmUpBooks,
        worker: str,
        elapsed: Callable[[], float],
    ) -> None:
        self._parts = parts
        self._allowance = allowance
        self._claimer = claimer
        self._held = held
        self._warm_up = warm_up
        self._worker = worker
        self._elapsed = elapsed
        self._relay_number = relay_number(allowance.relay.key)
        self._answered: list[Attempt] = []
        self._recorded_at = elapsed()
        self._refusals: deque[bool] = deque(maxlen=STRETCH)
        # Errors of messages that could not be built, by issue and language.
        self._unbuilt: dict[tuple[int, str], str] = {}
        # The last refusal of our settings that is not recorded yet.
        self._setup_refusal: tuple[int, SetupFault, str] | None = None
        self.handled = 0

    def take(self, result: Result) -> None:
        """Take the outcome of a message; record all that were taken, if they are many or a second old."""
        claimed, outcome = self._held.claimed[result.id], result.outcome
        self._answered.append(
            Attempt(
                result.id, claimed.attempt, claimed.lane, claimed.created_at, claimed.subscriber_id,
                outcome, claimed.email_key, self._parts.now(), claimed.newsletter_id, self._relay_number,
            )
        )  # fmt: skip
        self._allowance.note_outcome(outcome, self._claimer.sender(claimed))
        # Nearly every message is accepted, so this case is kept short.
        accepted = outcome.accepted
        fault = None if accepted else self._note_failure(claimed, outcome)
        if claimed.lane is Lane.BULK and fault is None:
            self._refusals.append(not accepted and says_no_such_mailbox(outcome))
        if fault is not None or len(self._answered) >= RECORDED_AT_ONCE:
            self.record()
        else:
            self.meanwhile()

    def _note_failure(self, claimed: Claimed, outcome: Outcome) -> SetupFault | None:
        """Note why a message was not accepted; return the part of our settings that was refused, if any."""
        if outcome.error is not None:
            log.error("event=delivery_not_built delivery=%d", claimed.id, exc_info=outcome.error)
        if outcome.fate is Fate.UNBUILT and claimed.issue_id is not None:
            self._unbuilt[claimed.issue_id, claimed.language] = _words(outcome)
        fault = setup_fault(outcome)
        if fault is not None and outcome.reply is not None:
            self._setup_refusal = (claimed.id, fault, str(outcome.reply))
            self._held.halt(fault, claimed)
        return fault

    def meanwhile(self) -> None:
        """Record outcomes that are a second old, because one slow message may delay the next outcome."""
        if self._elapsed() - self._recorded_at > LOOK_SECONDS:
            self.record()

    def record(self) -> None:
        """Record the outcomes so far, and commit."""
        self._recorded_at = self._elapsed()
        if not self._answered:
            return
        with self._parts.session() as session:
            now = self._parts.now()
            record(session, self._parts.messages, self._worker, self._answered, now)
            for each in self._answered:
                if each.lane is Lane.BULK and each.outcome.fate in OFFERED:
                    self._warm_up.offered(self._claimer.sender(self._held.claimed[each.delivery_id]))
            if any(self._held.claimed[each.delivery_id].template == LAST_EMAIL for each in self._answered):
                forget_recipients(session)
            self._record_setup_refusal(session)
            session.commit()
        self._pause_if_needed()
        # Skipped messages (of a paused issue, for example) are no work, so they must not extend the drain.
        self.handled += sum(each.outcome.fate is not Fate.SKIPPED for each in self._answered)
        self._held.remove([each.delivery_id for each in self._answered])
        self._answered.clear()

    def record_replies(self) -> None:
        """Record only those outcomes that are replies of the relay."""
        self._answered = [each for each in self._answered if each.outcome.fate is Fate.REPLIED]
        self.record()

    def _record_setup_refusal(self, session: Session) -> None:
        if self._setup_refusal is None:
            return
        delivery_id, fault, said = self._setup_refusal
        self._setup_refusal = None
        claimed = self._held.claimed[delivery_id]
        if not self.note_refusal(session, self._claimer.sender(claimed), fault, said, delivery_id):
            self._held.resume(fault, claimed)

    def note_refusal(
        self, session: Session, sender: Sender, fault: SetupFault, said: str, delivery_id: int | None
    ) -> bool:
        """Record that the relay refuses our settings; return whether emails wait because of that."""
        self._allowance.refused()
        senders, now = self._parts.messages.senders, self._parts.now()
        return note_refusal(session, senders, sender, fault, said, now, delivery_id)

    def _pause_if_needed(self) -> None:
        """Pause issues that the relay refuses, or whose messages cannot be built.

        Each check has its own transaction. So issues are always locked in the order of their ids, and all
        processes that count refusals see the recorded ones.
        """
        now = self._parts.now()
        paused: list[int] = []
        digests = [each.outcome for each in self._answered if each.lane is Lane.BULK]
        failed = not all(each.accepted for each in digests)
        if failed and is_suspicious(each for each in digests if setup_fault(each) is None):
            with self._parts.session() as session:
                paused += pause_if_refused(session, self._claimer.issues, self._allowance.relay_name, now)
                session.commit()
        if self._unbuilt:
            with self._parts.session() as session:
                paused += pause_if_unbuildable(session, self._unbuilt, now)
                session.commit()
            self._unbuilt.clear()
        report_paused(paused, self._allowance.relay_name)
        if sum(self._refusals) >= IN_A_ROW:
            self._refusals.clear()
            with self._parts.session() as session:
                pause_if_wrong(session, self._parts.messages, self._relay_number, now)
                session.commit()


def report_paused(issue_ids: Sequence[int], relay: str) -> None:
    """Log which issues were paused."""
    for issue_id in issue_ids:
        log.error("event=issue_paused issue=%d relay=%s", issue_id, relay)


def _words(outcome: Outcome) -> str:
    """Return the error of a message that could not be built, without email addresses."""
    fault = outcome.error
    said = f"{type(fault).__name__}: {fault}" if fault is not None else outcome.reason
    return without_addresses(said)[:LONGEST_FAULT]
