"""Claim, assemble, send, record: the loop that empties the outbox. An edge: it commits."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from newsletter.errors import TransportError
from newsletter.models import Lane
from newsletter.outbox.journal import Journal
from newsletter.outbox.lease import (
    claim,
    give_back,
    held_by,
    issues_to_send,
    skip_unwanted,
    still_wanted,
    suppressed_hashes,
)
from newsletter.outbox.messages import Claimed, MessageMaker, load_claimed
from newsletter.outbox.record import finish, record
from newsletter.settings import Settings
from newsletter.smtp.outcomes import Outcome, Outgoing
from newsletter.smtp.transport import Transport

log = logging.getLogger(__name__)

# A batch is claimed by one commit and recorded by another; see docs/architecture.md.
BULK_BATCH = 500
SINGLE_BATCH = 20
# Pausing must be felt within two seconds.
LOOK_SECONDS = 1.0
RELAY_DOWN = {Lane.SINGLE: timedelta(seconds=15), Lane.BULK: timedelta(seconds=60)}


class Parts(Protocol):
    """What a drain needs of an installation (a Runtime)."""

    @property
    def settings(self) -> Settings: ...
    @property
    def messages(self) -> MessageMaker: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def now(self) -> Callable[[], datetime]: ...
    def session(self) -> Session: ...


def journal_folder(settings: Settings) -> Path:
    """Return where the journals of this host's workers are."""
    return settings.data_dir / "journal"


def drain(
    parts: Parts,
    transport: Transport,
    *,
    lane: Lane,
    seconds: float = 60.0,
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Send what is due in `lane` until nothing is, or `seconds` have passed; return how many were handled.

    Draining bulk looks for single mails before each batch, so nobody waits for a confirmation
    while a million digests go out. Ends early when the relay cannot be reached: what was claimed
    is queued again, due a little later, and the TransportError is logged, not raised.
    """
    journal = Journal(journal_folder(parts.settings))
    until = time.monotonic() + seconds
    handled = 0
    try:
        while time.monotonic() < until and not stopping():
            count = _batch(parts, transport, journal, Lane.SINGLE, None)
            if lane is Lane.BULK and count is not None:
                with parts.session() as session:
                    issues = issues_to_send(session, parts.now())
                sent = _batch(parts, transport, journal, Lane.BULK, issues[0]) if issues else 0
                count = None if sent is None else count + sent
            if not count:
                break
            handled += count
    except BaseException:
        # Leases may be open: whoever finds the journal decides by it.
        journal.abandon()
        raise
    journal.close()
    return handled


def _batch(
    parts: Parts, transport: Transport, journal: Journal, lane: Lane, issue_id: int | None
) -> int | None:
    """Handle one batch; return how many deliveries, or None when the relay cannot be reached."""
    taken, claimed = _claim(parts, journal.name, lane, issue_id)
    if not claimed:
        return taken
    results: list[tuple[int, Outcome]] = []
    gate = _Gate(parts.engine, journal, [each.id for each in claimed])
    unreachable = False
    try:
        for result in transport.send(_outgoing(parts, claimed), gate):
            if result.outcome.error is not None:
                log.error("delivery=%d cannot be made", result.id, exc_info=result.outcome.error)
            results.append((result.id, result.outcome))
    except TransportError as fault:
        log.warning("relay unreachable: %s", fault)
        unreachable = True
    now = parts.now()
    with parts.session() as session:
        record(session, parts.messages, journal.name, results, now)
        heard = {delivery_id for delivery_id, _ in results}
        untouched = [each.id for each in claimed if each.id not in heard]
        if untouched:
            give_back(session, untouched, journal.name, now + RELAY_DOWN[lane])
        _close_issue(session, issue_id, now)
        session.commit()
    journal.clear()
    return None if unreachable else taken


def _claim(parts: Parts, worker: str, lane: Lane, issue_id: int | None) -> tuple[int, list[Claimed]]:
    """Claim a batch and commit; return how many rows were taken, and those that are to be sent."""
    now = parts.now()
    with parts.session() as session:
        limit = BULK_BATCH if lane is Lane.BULK else SINGLE_BATCH
        ids = claim(session, lane, issue_id, worker, limit, now)
        if not ids:
            session.rollback()
            return 0, []
        claimed = load_claimed(session, ids)
        skip_unwanted(session, ids, _suppressed(session, parts.messages, claimed), now)
        held = held_by(session, ids, worker)
        if not held:
            _close_issue(session, issue_id, now)
        session.commit()
    return len(ids), [each for each in claimed if each.id in held]


def _suppressed(session: Session, maker: MessageMaker, claimed: Sequence[Claimed]) -> list[int]:
    hashes = {each.id: maker.suppression_hash(each.email_key) for each in claimed if each.email_key}
    found = suppressed_hashes(session, list(hashes.values()))
    return [delivery_id for delivery_id, value in hashes.items() if value in found]


def _outgoing(parts: Parts, claimed: Sequence[Claimed]) -> Iterator[Outgoing]:
    # Loading an edition reads; the lock that writers take would stand in everybody's way.
    with Session(parts.engine.execution_options(sqlite_begin="DEFERRED")) as session:
        for each in claimed:
            yield parts.messages.outgoing(session, each, parts.now())


def _close_issue(session: Session, issue_id: int | None, now: datetime) -> None:
    """Finish the issue if this batch was its last; cancel what came back of a cancelled one."""
    if issue_id is not None:
        finish(session, now)


class _Gate:
    """The hooks of a batch: looks again every second whether to go on, and keeps the journal."""

    def __init__(self, engine: Engine, journal: Journal, claimed: Sequence[int]) -> None:
        self._engine = engine.execution_options(sqlite_begin="DEFERRED")
        self._journal = journal
        self._claimed = claimed
        self._wanted = set(claimed)
        self._looked_at = time.monotonic()
        self._lock = threading.Lock()

    def before_envelope(self, message_id: int) -> bool:
        with self._lock:
            if time.monotonic() - self._looked_at > LOOK_SECONDS:
                with Session(self._engine) as session:
                    self._wanted = still_wanted(session, self._claimed, self._journal.name)
                self._looked_at = time.monotonic()
            return message_id in self._wanted

    def before_content(self, message_id: int) -> None:
        self._journal.start(message_id)

    def after_content(self, message_id: int, outcome: Outcome) -> None:
        self._journal.reply(message_id, outcome)
