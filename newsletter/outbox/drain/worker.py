"""Drain a lane of the outbox: one thread for each relay for which an email is due. It commits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from newsletter.messages.sender import Sender
from newsletter.models import Lane
from newsletter.outbox.drain.choose import has_any
from newsletter.outbox.drain.relay_drain import RelayDrain
from newsletter.outbox.drain.several_relays import Served, serve_several
from newsletter.outbox.journals.journal import Journal
from newsletter.outbox.lease import (
    issues_to_send,
    newsletters_with_singles,
)
from newsletter.outbox.pacing.allowance import may_send
from newsletter.outbox.pacing.backup_relay import in_use, only_backup_may_get, relays_to_try
from newsletter.outbox.pacing.priority import Priority, of_issue
from newsletter.outbox.pacing.setup.wait import end_outdated_waits, outdated_waits
from newsletter.outbox.parts import Parts
from newsletter.outbox.refused.outcome_keys import relay_number
from newsletter.settings import Relay, Settings
from newsletter.smtp.transport import Transport


def journal_folder(settings: Settings) -> Path:
    """Return the folder of the journals of this host's workers."""
    return settings.data_dir / "journal"


def drain(
    parts: Parts,
    transport_to: Callable[[Relay], Transport],
    *,
    lane: Lane,
    seconds: float = 60.0,
    stopping: Callable[[], bool] = lambda: False,
    elapsed: Callable[[], float] = time.monotonic,
    meanwhile: Callable[[], None] = lambda: None,
) -> int:
    """Send the due deliveries of `lane` until none is left or `seconds` have passed; return how many.

    A drain of the bulk lane looks for single emails before each batch. So nobody waits for a confirmation
    while a million digests are sent. It ends early when rate limits or the sending hours leave nothing to
    send now. It also ends when the relay cannot be reached. Then the claimed deliveries are queued again, due
    a little later, and the TransportError is logged, not raised. `elapsed` is its clock, in seconds.

    If the newsletters use several relays, each relay has a thread, so that none waits for another. Then
    `meanwhile` is called about twice a second in the caller's thread: a slow relay must not delay what the
    caller does between two drains.
    """
    _end_outdated_waits(parts)
    with parts.reading() as session:
        relays = list(parts.messages.senders.relays(session).values())
    if len(relays) == 1:
        return _serve(parts, relays[0], transport_to(relays[0]), lane, seconds, stopping, elapsed).handled
    transports: dict[str, Transport] = {}

    def serve(relay: Relay, seconds: float, stopping: Callable[[], bool]) -> Served:
        return _serve(parts, relay, transports[relay.key], lane, seconds, stopping, elapsed)

    def with_work() -> list[Relay]:
        found = _relays_with_work(parts, lane)
        # Here, because `transport_to` need not be thread-safe.
        transports.update({key: transport_to(relay) for key, relay in found.items() if key not in transports})
        return list(found.values())

    return serve_several(with_work, serve, seconds, stopping, elapsed, meanwhile)


def _end_outdated_waits(parts: Parts) -> None:
    """Read the newsletters again, and end the waits for settings that have changed since.

    This makes deliveries due, so it must not depend on whether any is due.
    """
    with parts.reading() as session:
        parts.messages.refresh(session)
        outdated = outdated_waits(session, parts.messages.senders.with_backups(session), parts.now())
    if outdated:
        with parts.session() as session:
            for sender in outdated:
                end_outdated_waits(session, sender, parts.now())
            session.commit()


def _relays_with_work(parts: Parts, lane: Lane) -> dict[str, Relay]:
    """Return the relays for which an email is due and may be sent now, by key."""
    _end_outdated_waits(parts)
    now = parts.now()
    with parts.reading() as session:
        found = [sender.relay for sender in senders_with_work(parts, session, lane, now)]
        found += relays_to_try(session, parts.messages.senders.every(session), now)
    return {relay.key: relay for relay in found}


def senders_with_work(parts: Parts, session: Session, lane: Lane, now: datetime) -> list[Sender]:
    """Return the senders that have an email due, and may send it now or soon.

    The bulk lane includes the senders of single emails.
    """
    senders = parts.messages.senders
    found: dict[tuple[int, bool], Sender] = {}
    due: list[tuple[Priority, int, int | None]] = []
    due += [(Priority.SINGLE, newsletter, None) for newsletter in newsletters_with_singles(session, now)]
    if lane is Lane.BULK:
        issues = issues_to_send(session, now)
        due += [(of_issue(goes_first=each.goes_first), each.newsletter_id, each.id) for each in issues]
    for priority, newsletter, issue in due:
        usual = senders.of(session, newsletter)
        for sender in _with_work(session, usual, priority.lane, issue, now):
            if (newsletter, sender.by_backup) not in found and may_send(session, sender, priority, now):
                found[newsletter, sender.by_backup] = sender
    return list(found.values())


def _with_work(
    session: Session, usual: Sender, lane: Lane, issue: int | None, now: datetime
) -> Iterator[Sender]:
    """Yield those of a newsletter's senders whose relay may get due emails of a lane."""
    (used,) = in_use(session, [usual], now)
    if has_any(session, lane, issue, used, usual, now):
        yield used
    if used is usual and usual.backup is not None and only_backup_may_get(session, usual, lane, now)[0]:
        yield usual.backup


def _serve(
    parts: Parts,
    relay: Relay,
    transport: Transport,
    lane: Lane,
    seconds: float,
    stopping: Callable[[], bool],
    elapsed: Callable[[], float],
) -> Served:
    """Send the due deliveries of `lane` whose newsletters use this relay, as `drain` does."""
    journal = Journal(journal_folder(parts.settings), relay=relay_number(relay.key))
    work = RelayDrain(parts, relay, journal, lane, elapsed() + seconds, stopping, elapsed)
    try:
        if work.can_be_used(transport):
            while work.run(transport):
                pass
        else:
            work.reached = False
        work.allowance.close()
    except BaseException:
        # There may be open leases. The process that finds the journal decides them.
        journal.abandon()
        raise
    journal.close()
    return Served(work.handled, work.reached)
