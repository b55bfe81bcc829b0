"""One pass over a POP3 mailbox: read, commit, then delete or remember the messages."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from newsletter.bounces.ways_in.account import Account
from newsletter.bounces.ways_in.places import Place, find_place, forget, is_full, remember, remembered
from newsletter.bounces.ways_in.pop3 import Listed, Pop3Mailbox
from newsletter.errors import MailboxError
from newsletter.runtime import Runtime
from newsletter.service.mailboxes.take import After, Counts, take_message

# The server deletes at the end of a conversation only, so none is long.
AT_ONCE = 100
# A message at which the connection breaks this often is left for an hour, so that others are read.
MOST_TRIES = 2
STUCK_FOR = timedelta(hours=1)
MOST_AGAIN = 25

log = logging.getLogger(__name__)


class Pop3Reader:
    """Reads one mailbox again and again. It remembers at which messages the connection broke."""

    def __init__(self, runtime: Runtime, account: Account, stopped: Callable[[], bool]) -> None:
        self._runtime = runtime
        self._account = account
        self._stopped = stopped
        self._broken_at: Counter[str] = Counter()
        self._since = runtime.now()

    @property
    def broken_reads(self) -> int:
        """How often the connection broke at a message."""
        return self._broken_at.total()

    def run(self, counts: Counts) -> None:
        """Read everything that is new, in several conversations if it is much."""
        if self._runtime.now() - self._since > STUCK_FOR:
            self._broken_at.clear()
            self._since = self._runtime.now()
        more = True
        while more and not self._stopped():
            mailbox = Pop3Mailbox.open(self._account)
            try:
                more = self._conversation(mailbox, counts)
            finally:
                mailbox.close()
            counts.skipped = sum(times >= MOST_TRIES for times in self._broken_at.values())

    def _conversation(self, mailbox: Pop3Mailbox, counts: Counts) -> bool:
        """Read some messages; return whether there are more."""
        listed = mailbox.listing()
        with self._runtime.session() as session:
            place = find_place(session, self._account.mailbox.key, 0)
            known, again = (remembered(session, place, later=later) for later in (False, True))
            forget(session, place, (known | again) - {each.uid for each in listed})
            full = is_full(session, place)
            session.commit()
        new = [each for each in listed if each.uid not in known | again and not self._is_stuck(each)]
        waiting = [each for each in listed if each.uid in again and not self._is_stuck(each)]
        chosen = [] if full else new[:AT_ONCE]
        self._read(mailbox, place, waiting[:MOST_AGAIN] if counts.read == 0 else [], counts)
        self._read(mailbox, place, chosen, counts)
        mailbox.finish()
        return len(new) > len(chosen) > 0

    def _is_stuck(self, message: Listed) -> bool:
        return self._broken_at[message.uid] >= MOST_TRIES

    def _read(self, mailbox: Pop3Mailbox, place: Place, messages: Sequence[Listed], counts: Counts) -> None:
        deletes = self._account.mailbox.done == "delete"
        for each in messages:
            try:
                raw = mailbox.read(each.number, self._account.limits.most_bytes)
            except MailboxError:
                self._broken_at[each.uid] += 1
                log.warning("event=mailbox_message_failed times=%d", self._broken_at[each.uid])
                raise
            if raw is None:
                continue
            after = take_message(self._runtime, raw, counts)
            if after is After.SETTLE and deletes:
                mailbox.delete(each.number)
                continue
            with self._runtime.session() as session:
                remember(session, place, each.uid, later=after is After.LATER)
                session.commit()
