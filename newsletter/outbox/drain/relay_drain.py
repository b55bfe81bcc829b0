"""Send the due deliveries of one relay: claim, build, offer, and record the outcomes. It commits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import closing
from datetime import timedelta

from sqlalchemy.orm import Session

from newsletter.errors import RelayRefused, ServiceError, TransportError
from newsletter.mail.redact import without_addresses
from newsletter.messages.claimed import Claimed
from newsletter.messages.sender import Sender
from newsletter.models import Lane
from newsletter.outbox.drain.claimer import Claimer
from newsletter.outbox.drain.held import Held
from newsletter.outbox.drain.recorder import LONGEST_FAULT, Recorder, report_paused
from newsletter.outbox.journals.journal import Journal
from newsletter.outbox.lease import give_back
from newsletter.outbox.pacing import standings
from newsletter.outbox.pacing.allowance import Allowance
from newsletter.outbox.pacing.backup_relay import is_replaced, relays_to_try, tell_replaced
from newsletter.outbox.pacing.priority import Priority
from newsletter.outbox.pacing.relay_failures import pause_if_down
from newsletter.outbox.pacing.warm_up import WarmUpBooks
from newsletter.outbox.parts import Parts
from newsletter.outbox.record import finish
from newsletter.outbox.refused.judge import judge_all
from newsletter.settings import Relay
from newsletter.smtp.outcomes import Fate, Outcome, Outgoing, Result
from newsletter.smtp.refusals import SetupFault, connect_fault
from newsletter.smtp.transport import Transport

log = logging.getLogger(__name__)

RELAY_DOWN = {Lane.SINGLE: timedelta(seconds=15), Lane.BULK: timedelta(seconds=60)}


class RelayDrain:
    """The drain of one relay: gives messages to the transport, and writes the journal.

    It implements the transport's hooks too. One thread uses the source and the results. The transport's own
    threads call the hooks.
    """

    def __init__(
        self,
        parts: Parts,
        relay: Relay,
        journal: Journal,
        lane: Lane,
        until: float,
        stopping: Callable[[], bool],
        elapsed: Callable[[], float],
    ) -> None:
        self._elapsed = elapsed
        self._parts = parts
        self._journal = journal
        self._lanes = (Lane.SINGLE, Lane.BULK) if lane is Lane.BULK else (Lane.SINGLE,)
        self._until = until
        self._stopping = stopping
        self.reached = True
        # Whether a backup has taken over from this relay.
        self._replaced = False
        self._warm_up = WarmUpBooks()
        self._held = Held(parts, journal.name, elapsed)
        self.allowance = Allowance(parts, relay, self._priority_and_sender, self._ending)
        self._claimer = Claimer(parts, self.allowance, self._held, self._warm_up, journal.name)
        self._recorder = Recorder(
            parts, self.allowance, self._claimer, self._held, self._warm_up, journal.name, elapsed
        )

    @property
    def handled(self) -> int:
        """How many deliveries were sent, or skipped at the claim."""
        return self._recorder.handled + self._claimer.skipped

    def run(self, transport: Transport) -> bool:
        """Send until nothing is due; return whether more deliveries may be due by now."""
        before = self.handled
        self.reached = True
        self._held.resume_all()
        try:
            # Close the source at once, because it has an open database session.
            with closing(self._source()) as source:
                for result in transport.send(self.allowance.keep(source), self):
                    self._recorder.take(result)
        except TransportError as fault:
            log.warning("event=relay_unreachable fault=%s", fault)
            self.reached = False
            self._unreachable(fault)
        except ServiceError:
            # The journal cannot be written, so these replies may be known only here. Record them.
            self._recorder.record_replies()
            raise
        self._recorder.record()
        self._give_back()
        if self._claimer.issues:
            self._judge_and_finish()
        return self.reached and self.handled > before and not self._ending()

    def can_be_used(self, transport: Transport) -> bool:
        """Return whether this relay may be used. If a backup has taken over from it, try to connect."""
        now = self._parts.now()
        with self._parts.reading() as session:
            tried = bool(relays_to_try(session, self._usual_senders(session), now))
        if not tried:
            return True
        try:
            transport.reach()
        except TransportError as fault:
            log.warning("event=relay_still_down fault=%s", fault)
            self._unreachable(fault)
            return False
        log.warning("event=relay_is_back relay=%s", self.allowance.relay.key)
        self.allowance.reached()
        return True

    def before_envelope(self, message_id: int) -> bool:
        """Return whether a message may still be sent (Held.may_be_sent)."""
        return self._held.may_be_sent(message_id)

    def before_content(self, message_id: int) -> None:
        """Write to the journal that a message is about to be sent."""
        self._journal.start(message_id)

    def after_content(self, message_id: int, outcome: Outcome) -> None:
        """Write the outcome of a message to the journal."""
        self._journal.reply(message_id, outcome)

    def meanwhile(self) -> None:
        """Record outcomes that are a second old."""
        self._recorder.meanwhile()

    def _ending(self) -> bool:
        return self._elapsed() >= self._until or self._stopping()

    def _priority_and_sender(self, message_id: int) -> tuple[Priority, Sender]:
        claimed = self._held.claimed[message_id]
        return self._claimer.priority(claimed), self._claimer.sender(claimed)

    def _source(self) -> Generator[Outgoing, None, None]:
        """Yield due messages, claiming the next batch while the transport works on the last one."""
        while not self._ending():
            batch = self._claimer.next_batch(self._lanes)
            if batch is None:
                return
            # Loading an edition only reads, so this session must not take SQLite's write lock.
            with self._parts.reading() as session:
                for claimed in batch:
                    sender = self._claimer.sender(claimed)
                    if not self._claimer.is_here(sender):
                        continue  # edited since the claim; it is given back, and the other relay gets it
                    try:
                        message = self._parts.messages.outgoing(session, claimed, sender, self._parts.now())
                    except Exception as fault:
                        # The fault is in this message, or in this issue and language. Others are still sent.
                        self._recorder.take(Result(claimed.id, Outcome(Fate.UNBUILT, error=fault)))
                    else:
                        yield message

    def _unreachable(self, fault: TransportError) -> None:
        refused = connect_fault(fault) if isinstance(fault, RelayRefused) else None
        if refused is not None:
            self._refused_at_connect(refused, str(fault))
            return
        with self._parts.reading() as session:
            backed = self._usual_senders(session)
        down = self.allowance.unreachable(fault, has_backup=bool(backed))
        alone = [issue for issue, has_backup in self._claimer.issues.items() if not has_backup]
        now = self._parts.now()
        with self._parts.session() as session:
            standing = standings.read(session, standings.relay_key(self.allowance.relay), now)
            replaced = [each for each in backed if is_replaced(standing, each, now)]
            self._replaced = bool(replaced)
            for sender in replaced[:1]:
                tell_replaced(session, sender, without_addresses(str(fault))[:LONGEST_FAULT], now)
            paused = pause_if_down(session, alone, self.allowance.relay_name, down, str(fault), now)
            session.commit()
        report_paused(paused, self.allowance.relay_name)

    def _refused_at_connect(self, fault: SetupFault, said: str) -> None:
        with self._parts.session() as session:
            # Any of the senders: the relay refused all of them before it knew which one it is.
            sender = self._parts.messages.senders.at_relay(session, self.allowance.relay)[0]
            self._recorder.note_refusal(session, sender, fault, said, None)
            session.commit()

    def _usual_senders(self, session: Session) -> list[Sender]:
        """Return the senders whose usual relay is this one, and that have a backup relay."""
        at_relay = self._parts.messages.senders.at_relay(session, self.allowance.relay)
        return [each for each in at_relay if each.backup is not None]

    def _give_back(self) -> None:
        """Queue claimed deliveries again that were not sent."""
        now = self._parts.now()
        with self._parts.session() as session:
            for lane in self._lanes:
                held = [each for each in self._held.claimed.values() if each.lane is lane]
                # Another relay may send these at once.
                soon = {each.id for each in held if self.reached or self._has_taken_over(each)}
                later = [each.id for each in held if each.id not in soon]
                if soon:
                    give_back(session, sorted(soon), self._journal.name, now)
                if later:
                    give_back(session, later, self._journal.name, now + RELAY_DOWN[lane])
            self._warm_up.give_back(session, now)
            session.commit()
        self._held.clear()
        self._journal.clear()

    def _judge_and_finish(self) -> None:
        """Judge the refusals, and finish the issues that are done."""
        now = self._parts.now()
        with self._parts.session() as session:
            judge_all(session, self._parts.messages, now, self._stopping)
        with self._parts.session() as session:
            finish(session, now)
            session.commit()

    def _has_taken_over(self, claimed: Claimed) -> bool:
        return self._replaced and self._claimer.sender(claimed).backup is not None
