"""Send the due deliveries of one relay: claim, build, offer, and record the outcomes. It commits."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from newsletter.errors import RelayRefused, ServiceError, TransportError
from newsletter.mail.redact import without_addresses
from newsletter.messages.build import MessageMaker
from newsletter.messages.claimed import Claimed, load_claimed
from newsletter.messages.recompose import find_outdated, recompose
from newsletter.messages.render import DigestRenderer
from newsletter.messages.sender import Sender
from newsletter.models import FIRST_NEWSLETTER, Lane
from newsletter.outbox.drain.choose import Chooser
from newsletter.outbox.erasure_emails import LAST_EMAIL, forget_recipients
from newsletter.outbox.journals.journal import Journal
from newsletter.outbox.lease import (
    LEASE,
    claim,
    give_back,
    skip_unwanted,
    still_wanted,
)
from newsletter.outbox.pacing import allowance, standings
from newsletter.outbox.pacing.allowance import Allowance
from newsletter.outbox.pacing.backup_relay import is_replaced, relays_to_try, tell_replaced
from newsletter.outbox.pacing.domain_limits import book_domains
from newsletter.outbox.pacing.relay_failures import is_suspicious, pause_if_down, pause_if_refused
from newsletter.outbox.pacing.setup_wait import note_refusal
from newsletter.outbox.pacing.warm_up import WarmUpBooks
from newsletter.outbox.record import Attempt, finish, record
from newsletter.outbox.refused.held_domains import hold_domains
from newsletter.outbox.refused.judge import judge_all, pause_if_wrong
from newsletter.outbox.refused.outcome_keys import relay_number
from newsletter.outbox.refused.verdict import IN_A_ROW, STRETCH
from newsletter.outbox.retry import says_no_such_mailbox
from newsletter.outbox.unbuildable import pause_if_unbuildable
from newsletter.settings import Relay, Settings
from newsletter.smtp.outcomes import Fate, Outcome, Outgoing, Result
from newsletter.smtp.refusals import SetupFault, connect_fault, setup_fault
from newsletter.smtp.transport import Transport
from newsletter.suppression import (
    has_changed_since,
    name_subscribers,
    suppression_hash,
    unwanted_among,
)

log = logging.getLogger(__name__)

# Batch sizes. One commit claims a batch, and another records its outcomes (docs/architecture.md).
CLAIMED_AT_ONCE = {Lane.BULK: 1000, Lane.SINGLE: 20}
RECORDED_AT_ONCE = 1000
LONGEST_FAULT = 200
# Outcomes of emails that the relay was offered.
OFFERED = frozenset({Fate.REPLIED, Fate.UNCERTAIN})
# Outcomes are recorded at least this often. Pausing must take effect within two seconds.
LOOK_SECONDS = 1.0
# How many deliveries one check before an envelope reads: about as many as are sent until the next check.
LOOKED_AT_ONCE = 500
RELAY_DOWN = {Lane.SINGLE: timedelta(seconds=15), Lane.BULK: timedelta(seconds=60)}


class Parts(allowance.Parts, Protocol):
    """The parts of an installation (a Runtime) that a drain needs."""

    @property
    def settings(self) -> Settings: ...
    @property
    def renderer(self) -> DigestRenderer: ...


class RelayDrain:
    """The drain of one relay: gives messages to the transport, writes the journal, and records the outcomes.

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
        self.handled = 0
        self.reached = True
        # The deliveries that this process has claimed and not yet recorded, by id.
        self._held: dict[int, Claimed] = {}
        self._answered: list[Attempt] = []
        # The issues that were claimed from, and whether a backup takes over for them if this relay is down.
        self._issues: dict[int, bool] = {}
        # Whether a backup has taken over from this relay.
        self._replaced = False
        self.allowance = Allowance(parts, relay, self._lane_and_sender, self._ending)
        self._chooser = Chooser(parts, self.allowance)
        self._relay_number = relay_number(relay.key)
        self._warm_up = WarmUpBooks()
        self._refusals: deque[bool] = deque(maxlen=STRETCH)
        self._recorded_at = self._elapsed()
        self._lock = threading.Lock()
        # When each held delivery was checked, and those that may not be sent.
        self._looked_at: dict[int, float] = {}
        self._unwanted: set[int] = set()
        # Errors of messages that could not be built, by issue and language.
        self._unbuilt: dict[tuple[int, str], str] = {}
        # The last refusal of our settings that is not recorded yet. No message of the newsletters in
        # `_halted` is offered; None stands for all.
        self._setup_refusal: tuple[int, SetupFault, str] | None = None
        self._halted: set[int | None] = set()

    def run(self, transport: Transport) -> bool:
        """Send until nothing is due; return whether more deliveries may be due by now."""
        before = self.handled
        self.reached = True
        self._halted.clear()
        try:
            # Close the source at once, because it has an open database session.
            with closing(self._source()) as source:
                for result in transport.send(self.allowance.keep(source), self):
                    self._take(result)
        except TransportError as fault:
            log.warning("event=relay_unreachable fault=%s", fault)
            self.reached = False
            self._unreachable(fault)
        except ServiceError:
            # The journal cannot be written, so these replies may be known only here. Record them.
            self._answered = [each for each in self._answered if each.outcome.fate is Fate.REPLIED]
            self._record()
            raise
        self._record()
        self._give_back()
        return self.reached and self.handled > before and not self._ending()

    def _unreachable(self, fault: TransportError) -> None:
        now = self._parts.now()
        refused = connect_fault(fault) if isinstance(fault, RelayRefused) else None
        if refused is not None:
            with self._parts.session() as session:
                # Any of the senders: the relay refused all of them before it knew which one it is.
                sender = self._parts.messages.senders.at_relay(session, self.allowance.relay)[0]
                self._note_refusal(session, sender, refused, str(fault), None)
                session.commit()
            return
        with Session(self._reading()) as session:
            backed = self._usual_senders(session)
        down = self.allowance.unreachable(fault, has_backup=bool(backed))
        alone = [issue for issue, has_backup in self._issues.items() if not has_backup]
        with self._parts.session() as session:
            standing = standings.read(session, standings.relay_key(self.allowance.relay), now)
            replaced = [each for each in backed if is_replaced(standing, each, now)]
            self._replaced = bool(replaced)
            for sender in replaced[:1]:
                tell_replaced(session, sender, without_addresses(str(fault))[:LONGEST_FAULT], now)
            paused = pause_if_down(session, alone, self._relay, down, str(fault), now)
            session.commit()
        _report(paused, self._relay)

    def _usual_senders(self, session: Session) -> list[Sender]:
        """Return the senders whose usual relay is this one, and that have a backup relay."""
        at_relay = self._parts.messages.senders.at_relay(session, self.allowance.relay)
        return [each for each in at_relay if each.backup is not None]

    def can_be_used(self, transport: Transport) -> bool:
        """Return whether this relay may be used. If a backup has taken over from it, try to connect."""
        now = self._parts.now()
        with Session(self._reading()) as session:
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

    @property
    def _relay(self) -> str:
        return f"{self.allowance.relay.host}:{self.allowance.relay.port}"

    def _ending(self) -> bool:
        return self._elapsed() >= self._until or self._stopping()

    def _source(self) -> Generator[Outgoing, None, None]:
        """Yield due messages, claiming the next batch while the transport works on the last one."""
        while not self._ending():
            batch = self._claim()
            if batch is None:
                return
            # Loading an edition only reads, so this session must not take SQLite's write lock.
            with Session(self._reading()) as session:
                for claimed in batch:
                    sender = self._sender(claimed)
                    if sender.newsletter_id not in self._chooser.here:
                        continue  # edited since the claim; it is given back, and the other relay gets it
                    try:
                        message = self._parts.messages.outgoing(session, claimed, sender, self._parts.now())
                    except Exception as fault:
                        # The fault is in this message, or in this issue and language. Others are still sent.
                        self._take(Result(claimed.id, Outcome(Fate.UNBUILT, error=fault)))
                    else:
                        yield message

    def _claim(self) -> list[Claimed] | None:
        """Claim the next batch and commit; return the deliveries of it that are to be sent.

        Returns None when nothing is due, or when rate limits allow no message soon.
        """
        for lane in self._lanes:
            now = self._parts.now()
            # Reading takes no lock. Claiming takes one even if nothing is due.
            with Session(self._reading()) as session:
                chosen = self._chooser.choose(session, lane, now)
            if chosen is None:
                continue
            if chosen.issue_id is not None:
                self._issues[chosen.issue_id] = chosen.sender is not None and chosen.sender.backup is not None
            with self._parts.session() as session:
                limit = min(CLAIMED_AT_ONCE[lane], chosen.room)
                if chosen.sender is not None and lane is Lane.BULK:
                    limit = self._warm_up.limit(session, chosen.sender, limit, now)
                ids = claim(
                    session, lane, chosen.issue_id, self._journal.name, limit, now, chosen.newsletters,
                    chosen.conditions,
                )  # fmt: skip
                if not ids:
                    session.rollback()
                    continue
                if chosen.sender is not None and lane is Lane.BULK:
                    self._warm_up.book(session, chosen.sender, ids, now)
                claimed = load_claimed(session, ids)
                suppressed = _unwanted(session, self._parts.messages, claimed)
                # Digests are checked by `_recompose`.
                skipped = skip_unwanted(session, ids, suppressed, now) if lane is Lane.SINGLE else set()
                waiting = hold_domains(session, claimed, self._journal.name, now)
                claimed = [each for each in claimed if each.id not in skipped | waiting]
                times, later = book_domains(session, self._parts.settings, claimed, self._journal.name, now)
                session.commit()
            self.allowance.hold(times)
            claimed = [each for each in claimed if each.id not in later]
            if lane is Lane.BULK:
                claimed, away = self._recompose(claimed, suppressed, now)
                skipped |= away
            self.handled += len(skipped)
            batch = [each for each in claimed if each.id not in skipped]
            self._warm_up.not_sent(set(ids) - {each.id for each in batch})
            with self._lock:
                self._held |= {each.id: each for each in batch}
                self._looked_at |= dict.fromkeys([each.id for each in batch], self._elapsed())
            return batch
        return None

    def _sender(self, claimed: Claimed) -> Sender:
        return self._chooser.senders[claimed.newsletter_id or FIRST_NEWSLETTER]

    def _lane_and_sender(self, message_id: int) -> tuple[Lane, Sender]:
        claimed = self._held[message_id]
        return claimed.lane, self._sender(claimed)

    def _recompose(
        self, claimed: list[Claimed], suppressed: set[int], now: datetime
    ) -> tuple[list[Claimed], set[int]]:
        """Recompose claimed digests that may not be sent unchanged; return all digests, and skipped ids.

        It needs its own transaction: it locks subscribers before their deliveries, and claiming has already
        locked the deliveries.
        """
        with Session(self._reading()) as session:
            outdated = find_outdated(session, [each.id for each in claimed]) | suppressed
        if not outdated:
            return claimed, set()
        with self._parts.session() as session:
            skipped = recompose(session, outdated, suppressed, self._journal.name, now, self._parts.renderer)
            name_subscribers(session, _hashes(self._parts.messages, claimed, suppressed))
            fresh = {each.id: each for each in load_claimed(session, sorted(outdated - skipped))}
            session.commit()
        return [fresh.get(each.id, each) for each in claimed], skipped

    def _take(self, result: Result) -> None:
        claimed, outcome = self._held[result.id], result.outcome
        self._answered.append(
            Attempt(
                result.id, claimed.attempt, claimed.lane, claimed.created_at, claimed.subscriber_id,
                outcome, claimed.email_key, self._parts.now(), claimed.newsletter_id, self._relay_number,
            )
        )  # fmt: skip
        self.allowance.heard(outcome, self._sender(claimed))
        # Nearly every message is accepted, so this case is kept short.
        accepted = outcome.accepted
        fault = None if accepted else self._note_failure(claimed, outcome)
        if claimed.lane is Lane.BULK and fault is None:
            self._refusals.append(not accepted and says_no_such_mailbox(outcome))
        if fault is not None or len(self._answered) >= RECORDED_AT_ONCE:
            self._record()
        else:
            self.meanwhile()

    def _note_failure(self, claimed: Claimed, outcome: Outcome) -> SetupFault | None:
        """Note why a message was not accepted; return the part of our settings that was refused, if any."""
        if outcome.error is not None:
            log.error("delivery=%d cannot be made", claimed.id, exc_info=outcome.error)
        if outcome.fate is Fate.UNBUILT and claimed.issue_id is not None:
            self._unbuilt[claimed.issue_id, claimed.language] = _words(outcome)
        fault = setup_fault(outcome)
        if fault is not None and outcome.reply is not None:
            self._setup_refusal = (claimed.id, fault, str(outcome.reply))
            self._halted.add(self._halts(fault, claimed))
        return fault

    def meanwhile(self) -> None:
        """Record outcomes that are a second old, because one slow message may delay the next outcome."""
        if self._elapsed() - self._recorded_at > LOOK_SECONDS:
            self._record()

    def _record(self) -> None:
        """Record the outcomes so far, and commit."""
        self._recorded_at = self._elapsed()
        if not self._answered:
            return
        with self._parts.session() as session:
            now = self._parts.now()
            record(session, self._parts.messages, self._journal.name, self._answered, now)
            offered = {each.delivery_id: each.outcome.fate in OFFERED for each in self._answered}
            self._warm_up.sent([each for each, was_offered in offered.items() if was_offered])
            self._warm_up.not_sent([each for each, was_offered in offered.items() if not was_offered])
            if any(self._held[each.delivery_id].template == LAST_EMAIL for each in self._answered):
                forget_recipients(session)
            if self._setup_refusal is not None:
                delivery_id, fault, said = self._setup_refusal
                self._setup_refusal = None
                claimed = self._held[delivery_id]
                if not self._note_refusal(session, self._sender(claimed), fault, said, delivery_id):
                    self._halted.discard(self._halts(fault, claimed))
            session.commit()
        self._pause_if_needed()
        if sum(self._refusals) >= IN_A_ROW:
            self._refusals.clear()
            # In a second transaction, so that all processes that count refusals see the recorded ones.
            with self._parts.session() as session:
                pause_if_wrong(session, self._parts.messages, self._relay_number, now)
                session.commit()
        # Skipped messages (of a paused issue, for example) are no work, so they must not extend the drain.
        self.handled += sum(each.outcome.fate is not Fate.SKIPPED for each in self._answered)
        with self._lock:
            for each in self._answered:
                del self._held[each.delivery_id]
                del self._looked_at[each.delivery_id]
        self._answered.clear()

    def _note_refusal(
        self, session: Session, sender: Sender, fault: SetupFault, said: str, delivery_id: int | None
    ) -> bool:
        """Record that the relay refuses our settings; return whether emails wait because of that."""
        self.allowance.refused(fault, sender)
        senders, now = self._parts.messages.senders, self._parts.now()
        return note_refusal(session, senders, sender, fault, said, now, delivery_id)

    @staticmethod
    def _halts(fault: SetupFault, claimed: Claimed) -> int | None:
        """Return the newsletter that a fault concerns; None for all of the relay."""
        return claimed.newsletter_id or FIRST_NEWSLETTER if fault is SetupFault.SENDER else None

    def _pause_if_needed(self) -> None:
        """Pause issues that the relay refuses, or whose messages cannot be built.

        Each check has its own transaction, so that issues are always locked in the order of their ids.
        """
        now = self._parts.now()
        paused = []
        digests = [each.outcome for each in self._answered if each.lane is Lane.BULK]
        failed = not all(each.accepted for each in digests)
        if failed and is_suspicious(each for each in digests if setup_fault(each) is None):
            with self._parts.session() as session:
                paused = pause_if_refused(session, self._issues, self._relay, now)
                session.commit()
        if self._unbuilt:
            with self._parts.session() as session:
                paused += pause_if_unbuildable(session, self._unbuilt, now)
                session.commit()
            self._unbuilt.clear()
        _report(paused, self._relay)

    def _give_back(self) -> None:
        """Queue claimed deliveries again that were not sent; finish the issues that are done."""
        now = self._parts.now()
        if self._issues:
            with self._parts.session() as session:
                judge_all(session, self._parts.messages, now)
        with self._parts.session() as session:
            for lane in self._lanes:
                held = [each for each in self._held.values() if each.lane is lane]
                # Another relay may send these at once.
                soon = {each.id for each in held if self.reached or self._has_taken_over(each)}
                later = [each.id for each in held if each.id not in soon]
                if soon:
                    give_back(session, sorted(soon), self._journal.name, now)
                if later:
                    give_back(session, later, self._journal.name, now + RELAY_DOWN[lane])
            self._warm_up.not_sent(list(self._held))
            self._warm_up.give_back(session, now)
            if self._issues:
                finish(session, now)
            session.commit()
        self._held.clear()
        self._looked_at.clear()
        self._unwanted.clear()
        self._journal.clear()

    def _has_taken_over(self, claimed: Claimed) -> bool:
        return self._replaced and self._sender(claimed).backup is not None

    def _reading(self) -> Engine:
        return self._parts.engine.execution_options(sqlite_begin="DEFERRED")

    def before_envelope(self, message_id: int) -> bool:
        """Return whether a message may still be sent: not paused, cancelled, unsubscribed or suppressed.

        The check may be up to a second old.
        """
        with self._lock:
            if self._halted:
                newsletter = self._held[message_id].newsletter_id or FIRST_NEWSLETTER
                if None in self._halted or newsletter in self._halted:
                    return False
            now = self._elapsed()
            if now - self._looked_at[message_id] > LOOK_SECONDS:
                self._look_again(message_id, now)
            return message_id not in self._unwanted

    def _look_again(self, message_id: int, now: float) -> None:
        """Check this message and the next ones that this process holds, in the order they were claimed."""
        held = list(self._held)
        first = held.index(message_id)
        due = now - LOOK_SECONDS
        near = [each for each in held[first : first + LOOKED_AT_ONCE] if self._looked_at[each] < due]
        with Session(self._reading()) as session:
            digests = [each for each in near if self._held[each].lane is Lane.BULK]
            singles = [each for each in near if self._held[each].lane is Lane.SINGLE]
            wanted = still_wanted(session, digests, singles, self._journal.name)
            self._unwanted -= wanted
            self._unwanted |= set(near) - wanted
            self._unwanted |= self._suppressed_meanwhile(session, near)
        self._looked_at |= dict.fromkeys(near, now)

    def _suppressed_meanwhile(self, session: Session, delivery_ids: Sequence[int]) -> set[int]:
        """Return the deliveries to addresses that were suppressed after the claim. A lease is ten minutes."""
        if not has_changed_since(session, self._parts.now() - 2 * LEASE):
            return set()
        return _unwanted(session, self._parts.messages, [self._held[each] for each in delivery_ids])

    def before_content(self, message_id: int) -> None:
        """Write to the journal that a message is about to be sent."""
        self._journal.start(message_id)

    def after_content(self, message_id: int, outcome: Outcome) -> None:
        """Write the outcome of a message to the journal."""
        self._journal.reply(message_id, outcome)


def _report(paused: Sequence[int], relay: str) -> None:
    for issue_id in paused:
        log.error("event=issue_paused issue=%d relay=%s", issue_id, relay)


def _words(outcome: Outcome) -> str:
    """Return the error of a message that could not be built, without email addresses."""
    fault = outcome.error
    said = f"{type(fault).__name__}: {fault}" if fault is not None else outcome.reason
    return without_addresses(said)[:LONGEST_FAULT]


def _hashes(
    maker: MessageMaker, claimed: Sequence[Claimed], suppressed: Collection[int]
) -> list[tuple[str, int]]:
    """Return the address hashes of the deliveries in `suppressed`, each with its subscriber's id."""
    return [
        (suppression_hash(maker.tokens, each.email_key), each.subscriber_id)
        for each in claimed
        if each.id in suppressed and each.email_key and each.subscriber_id is not None
    ]


def _unwanted(session: Session, maker: MessageMaker, claimed: Sequence[Claimed]) -> set[int]:
    """Return the deliveries to addresses that are suppressed, or never emailed by a rule."""
    keys = {each.id: each.email_key for each in claimed if each.email_key}
    return unwanted_among(session, maker.tokens, keys)
