"""The deliveries that a drain has claimed and not yet recorded, and the last check before each is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy.orm import Session

from newsletter.messages.build import MessageMaker
from newsletter.messages.claimed import Claimed
from newsletter.models import FIRST_NEWSLETTER, Lane
from newsletter.outbox.lease import LEASE, still_wanted
from newsletter.outbox.parts import Parts
from newsletter.smtp.refusals import SetupFault
from newsletter.suppression import has_changed_since, unwanted_among

# A check before an envelope may be this old, and so may an outcome that is not recorded. Pausing must take
# effect within two seconds.
LOOK_SECONDS = 1.0
# How many deliveries one check reads: about as many as are sent until the next check.
LOOKED_AT_ONCE = 500


class Held:
    """The deliveries that one drain holds, in `claimed` by id.

    One thread adds and removes them. The transport's threads call `may_be_sent`.
    """

    def __init__(self, parts: Parts, worker: str, elapsed: Callable[[], float]) -> None:
        self._parts = parts
        self._worker = worker
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self.claimed: dict[int, Claimed] = {}
        # When each was last checked, and those that may not be sent.
        self._looked_at: dict[int, float] = {}
        self._unwanted: set[int] = set()
        # The newsletters whose messages are not offered, because the relay refuses their settings. None
        # stands for all.
        self._halted: set[int | None] = set()

    def add(self, batch: Sequence[Claimed]) -> None:
        """Hold these deliveries, which were checked just now."""
        with self._lock:
            self.claimed |= {each.id: each for each in batch}
            self._looked_at |= dict.fromkeys([each.id for each in batch], self._elapsed())

    def remove(self, delivery_ids: Iterable[int]) -> None:
        """Forget deliveries whose outcome is recorded."""
        with self._lock:
            for each in delivery_ids:
                del self.claimed[each]
                del self._looked_at[each]

    def clear(self) -> None:
        """Forget all deliveries."""
        self.claimed.clear()
        self._looked_at.clear()
        self._unwanted.clear()

    def halt(self, fault: SetupFault, refused: Claimed) -> None:
        """Offer no message that this fault concerns: those of one newsletter, or all."""
        self._halted.add(_halted_by(fault, refused))

    def resume(self, fault: SetupFault, refused: Claimed) -> None:
        """Undo one `halt`."""
        self._halted.discard(_halted_by(fault, refused))

    def resume_all(self) -> None:
        """Undo every `halt`."""
        self._halted.clear()

    def may_be_sent(self, message_id: int) -> bool:
        """Return whether a message may still be sent: not paused, cancelled, unsubscribed or suppressed.

        The check may be up to a second old.
        """
        with self._lock:
            if self._halted:
                newsletter = self.claimed[message_id].newsletter_id or FIRST_NEWSLETTER
                if None in self._halted or newsletter in self._halted:
                    return False
            now = self._elapsed()
            if now - self._looked_at[message_id] > LOOK_SECONDS:
                self._look_again(message_id, now)
            return message_id not in self._unwanted

    def _look_again(self, message_id: int, now: float) -> None:
        """Check this message and the next ones, in the order they were claimed."""
        held = list(self.claimed)
        first = held.index(message_id)
        due = now - LOOK_SECONDS
        near = [each for each in held[first : first + LOOKED_AT_ONCE] if self._looked_at[each] < due]
        with self._parts.reading() as session:
            digests = [each for each in near if self.claimed[each].lane is Lane.BULK]
            singles = [each for each in near if self.claimed[each].lane is Lane.SINGLE]
            wanted = still_wanted(session, digests, singles, self._worker)
            self._unwanted -= wanted
            self._unwanted |= set(near) - wanted
            self._unwanted |= self._suppressed_meanwhile(session, near)
        self._looked_at |= dict.fromkeys(near, now)

    def _suppressed_meanwhile(self, session: Session, delivery_ids: Sequence[int]) -> set[int]:
        """Return the deliveries to addresses that were suppressed after the claim. A lease is ten minutes."""
        if not has_changed_since(session, self._parts.now() - 2 * LEASE):
            return set()
        return suppressed_among(session, self._parts.messages, [self.claimed[each] for each in delivery_ids])


def _halted_by(fault: SetupFault, refused: Claimed) -> int | None:
    """Return the newsletter that a fault concerns; None for all of the relay."""
    return refused.newsletter_id or FIRST_NEWSLETTER if fault is SetupFault.SENDER else None


def suppressed_among(session: Session, maker: MessageMaker, claimed: Sequence[Claimed]) -> set[int]:
    """Return the deliveries to addresses that are suppressed, or never emailed by a rule."""
    keys = {each.id: each.email_key for each in claimed if each.email_key}
    return unwanted_among(session, maker.tokens, keys)
