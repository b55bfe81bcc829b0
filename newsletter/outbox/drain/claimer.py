"""Claim the next batch of deliveries for one relay, and leave out those that may not be sent. It commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from newsletter.messages.build import MessageMaker
from newsletter.messages.claimed import Claimed, load_claimed
from newsletter.messages.digests.recompose import find_outdated, recompose
from newsletter.messages.sender import Sender
from newsletter.models import FIRST_NEWSLETTER, Lane
from newsletter.outbox.drain.choose import Chooser, Chosen
from newsletter.outbox.drain.held import Held, suppressed_among
from newsletter.outbox.lease import claim, skip_unwanted
from newsletter.outbox.pacing.allowance import Allowance
from newsletter.outbox.pacing.domain_limits import book_domains
from newsletter.outbox.pacing.priority import Priority
from newsletter.outbox.pacing.warm_up import WarmUpBooks
from newsletter.outbox.parts import Parts
from newsletter.outbox.refused.held_domains import hold_domains
from newsletter.suppression import name_subscribers, suppression_hash

# Batch sizes. One commit claims a batch, and another records its outcomes (docs/architecture.md).
CLAIMED_AT_ONCE = {Lane.BULK: 1000, Lane.SINGLE: 20}


class Claimer:
    """Claims deliveries for one relay, and adds them to `held`.

    `issues` has the issues that were claimed from, each with whether a backup takes over if this relay is
    down. `priorities` has the priority of each of these issues. `skipped` counts the deliveries that were
    skipped instead of sent.
    """

    def __init__(
        self, parts: Parts, allowance: Allowance, held: Held, warm_up: WarmUpBooks, worker: str
    ) -> None:
        self._parts = parts
        self._allowance = allowance
        self._held = held
        self._warm_up = warm_up
        self._worker = worker
        self._chooser = Chooser(parts, allowance)
        self.issues: dict[int, bool] = {}
        self.priorities: dict[int, Priority] = {}
        self.skipped = 0

    def sender(self, claimed: Claimed) -> Sender:
        """Return the sender of a claimed delivery."""
        return self._chooser.senders[claimed.newsletter_id or FIRST_NEWSLETTER]

    def priority(self, claimed: Claimed) -> Priority:
        """Return the priority of a claimed delivery. A correction notice has that of an issue."""
        if claimed.lane is Lane.SINGLE:
            return Priority.SINGLE
        return self.priorities.get(claimed.issue_id or 0, Priority.ISSUE)

    def is_here(self, sender: Sender) -> bool:
        """Return whether this relay may send for a sender, as of the last claim."""
        return sender.newsletter_id in self._chooser.here

    def next_batch(self, lanes: Sequence[Lane]) -> list[Claimed] | None:
        """Claim the next batch and commit; return the deliveries of it that are to be sent.

        Returns None when nothing is due, or when rate limits allow no message soon.
        """
        for lane in lanes:
            now = self._parts.now()
            # Reading takes no lock. Claiming takes one even if nothing is due.
            with self._parts.reading() as session:
                chosen = self._chooser.choose(session, lane, now)
            batch = None if chosen is None else self._claim(lane, chosen, now)
            if batch is not None:
                self._held.add(batch)
                return batch
        return None

    def _claim(self, lane: Lane, chosen: Chosen, now: datetime) -> list[Claimed] | None:
        if chosen.issue_id is not None:
            self.issues[chosen.issue_id] = chosen.sender is not None and chosen.sender.backup is not None
            self.priorities[chosen.issue_id] = chosen.priority
        warming = chosen.sender if lane is Lane.BULK else None
        with self._parts.session() as session:
            limit = min(CLAIMED_AT_ONCE[lane], chosen.room)
            if warming is not None:
                limit = self._warm_up.limit(session, warming, limit, now)
            ids = claim(
                session, lane, chosen.issue_id, self._worker, limit, now, chosen.newsletters,
                chosen.conditions,
            )  # fmt: skip
            if not ids:
                session.rollback()
                return None
            if warming is not None:
                self._warm_up.book(session, warming, len(ids), now)
            claimed = load_claimed(session, ids)
            suppressed = suppressed_among(session, self._parts.messages, claimed)
            # Digests are checked by `_recompose`.
            skipped = skip_unwanted(session, ids, suppressed, now) if lane is Lane.SINGLE else set()
            waiting = hold_domains(session, claimed, self._worker, now)
            claimed = [each for each in claimed if each.id not in skipped | waiting]
            times, later = book_domains(session, self._parts.settings, claimed, self._worker, now)
            session.commit()
        self._allowance.hold(times)
        claimed = [each for each in claimed if each.id not in later]
        if lane is Lane.BULK:
            claimed, away = self._recompose(claimed, suppressed, now)
            skipped |= away
        self.skipped += len(skipped)
        return [each for each in claimed if each.id not in skipped]

    def _recompose(
        self, claimed: list[Claimed], suppressed: set[int], now: datetime
    ) -> tuple[list[Claimed], set[int]]:
        """Recompose claimed digests that may not be sent unchanged; return all digests, and skipped ids.

        It needs its own transaction: it locks subscribers before their deliveries, and claiming has already
        locked the deliveries.
        """
        with self._parts.reading() as session:
            outdated = find_outdated(session, [each.id for each in claimed]) | suppressed
        if not outdated:
            return claimed, set()
        with self._parts.session() as session:
            skipped = recompose(session, outdated, suppressed, self._worker, now, self._parts.renderer)
            name_subscribers(session, _hashes(self._parts.messages, claimed, suppressed))
            fresh = {each.id: each for each in load_claimed(session, sorted(outdated - skipped))}
            session.commit()
        return [fresh.get(each.id, each) for each in claimed], skipped


def _hashes(
    maker: MessageMaker, claimed: Sequence[Claimed], suppressed: Collection[int]
) -> list[tuple[str, int]]:
    """Return the address hashes of the deliveries in `suppressed`, each with its subscriber's id."""
    return [
        (suppression_hash(maker.tokens, each.email_key), each.subscriber_id)
        for each in claimed
        if each.id in suppressed and each.email_key and each.subscriber_id is not None
    ]
