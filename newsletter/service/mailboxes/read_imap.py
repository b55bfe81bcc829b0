"""One pass over an IMAP folder: read, commit, then mark the messages, then remember how far it got."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from newsletter.bounces.ways_in.imap import ImapFolder
from newsletter.bounces.ways_in.imap_answers import Fetched
from newsletter.bounces.ways_in.places import (
    Place,
    find_place,
    forget,
    is_full,
    move_mark,
    remember,
    remembered,
)
from newsletter.errors import MailboxError
from newsletter.runtime import Runtime
from newsletter.service.mailboxes.take import After, Counts, concerns_us, take_message

AT_ONCE = 25
# Most reports are smaller. Only of larger ones that are for us, more is fetched.
START_BYTES = 64 * 1024
# A message at which the connection breaks this often is left for an hour, so that others are read.
MOST_TRIES = 2
STUCK_FOR = timedelta(hours=1)

log = logging.getLogger(__name__)


class ImapReader:
    """Reads one folder again and again. It remembers at which messages the connection broke."""

    def __init__(self, runtime: Runtime, key: str, most_bytes: int, stopped: Callable[[], bool]) -> None:
        self._runtime = runtime
        self._key = key
        self._most_bytes = most_bytes
        self._stopped = stopped
        self._at_once = AT_ONCE
        self._broken_at: Counter[int] = Counter()
        self._since = runtime.now()

    @property
    def broken_reads(self) -> int:
        """How often the connection broke at a message, or at several."""
        return self._broken_at.total() + (self._at_once == 1)

    def run(self, folder: ImapFolder, counts: Counts) -> None:
        """Read everything that is new in an open folder, then what is to be read again."""
        self._forget_old_failures()
        folder.expunge_marked()
        with self._runtime.session() as session:
            place = find_place(session, self._key, folder.validity)
            again = [int(each) for each in remembered(session, place, later=True)]
            session.commit()
        place = self._read_new(folder, place, counts)
        waiting = sorted(uid for uid in again if self._broken_at[uid] < MOST_TRIES)[:AT_ONCE]
        for start in range(0, len(waiting), self._at_once):
            self._batch(folder, place, waiting[start : start + self._at_once], counts, new=False)
        self._at_once = AT_ONCE
        counts.skipped = sum(times >= MOST_TRIES for times in self._broken_at.values())

    def _read_new(self, folder: ImapFolder, place: Place, counts: Counts) -> Place:
        while not self._stopped():
            with self._runtime.reading() as session:
                full = is_full(session, place)
            uids = [] if full else folder.uids_after(place.mark, self._at_once)
            if not uids:
                break
            place = self._batch(folder, place, uids, counts, new=True)
        return place

    def _forget_old_failures(self) -> None:
        """Try again every hour what a server could not send: perhaps it had a fault for a time."""
        if self._runtime.now() - self._since > STUCK_FOR:
            self._broken_at.clear()
            self._since = self._runtime.now()

    def _batch(
        self, folder: ImapFolder, place: Place, uids: Sequence[int], counts: Counts, *, new: bool
    ) -> Place:
        found = self._fetch(folder, uids, START_BYTES)
        after = {uid: self._take(folder, found[uid], counts) for uid in uids if uid in found}
        folder.settle([uid for uid, what in after.items() if what is After.SETTLE])
        stuck = {uid for uid in uids if self._broken_at[uid] >= MOST_TRIES}
        later = {str(uid) for uid in uids if uid in stuck or after.get(uid) is After.LATER}
        with self._runtime.session() as session:
            forget(session, place, [str(uid) for uid in uids if str(uid) not in later])
            for uid in later:
                remember(session, place, uid, later=True)
            if new:
                place = move_mark(session, place, uids[-1])
            session.commit()
        return place

    def _take(self, folder: ImapFolder, message: Fetched, counts: Counts) -> After:
        raw = message.raw
        if message.size > len(raw) >= START_BYTES and concerns_us(self._runtime, raw):
            whole = self._fetch(folder, [message.uid], self._most_bytes).get(message.uid)
            raw = whole.raw if whole else raw
        return take_message(self._runtime, raw, counts)

    def _fetch(self, folder: ImapFolder, uids: Sequence[int], most_bytes: int) -> dict[int, Fetched]:
        wanted = [uid for uid in uids if self._broken_at[uid] < MOST_TRIES]
        try:
            found = folder.fetch(wanted, most_bytes) if wanted else {}
        except MailboxError:
            # It is not known which of them is at fault, so the next pass takes one at a time.
            self._at_once = 1
            if len(uids) == 1:
                self._broken_at[uids[0]] += 1
                log.warning("event=mailbox_message_failed uid=%d times=%d", uids[0], self._broken_at[uids[0]])
            raise
        return found
