"""Stop both lanes of a newsletter while the relay refuses its sender, our EHLO name or our account.

Such a relay refuses every message for the same reason, so no delivery is rejected for it. The refused
deliveries are deferred, and one test message is sent from time to time. The wait ends when the relay accepts
one, or at once when the settings in question, or the From address, are changed. If the relay refuses one
sender, the other newsletters do not wait. If it refuses our name or account, all newsletters at this relay
wait.

One refusal among acceptances proves nothing, because the relay may quote the server of one recipient. So one
refusal begins a wait only if the relay accepted nothing since that delivery was made. Otherwise a wait begins
after the refusals of three different deliveries in a row.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter.mail.redact import without_addresses
from newsletter.messages.sender import Sender, Senders
from newsletter.models import Delivery, DeliveryState, Issue, IssueState, Lane, is_single
from newsletter.outbox.pacing import standings
from newsletter.outbox.pacing.pace import Standing, catch_up
from newsletter.outbox.pacing.setup.acceptances import accepted_since
from newsletter.outbox.pacing.setup.owner_notices import settle_all, tell
from newsletter.outbox.pacing.setup_refusals import Refusals, one_more
from newsletter.outbox.pacing.standings import SenderStanding
from newsletter.smtp.refusals import SetupFault
from newsletter.tokens import Tokens

log = logging.getLogger(__name__)

# If a wait begins again within this time, the owner gets no second email about it.
TOLD = timedelta(hours=1)
LONGEST_QUOTE = 300


def settings_mark(sender: Sender, fault: SetupFault = SetupFault.SENDER) -> str:
    """Return a keyed hash of the settings that a relay may refuse by this fault.

    If it changes, a wait ends.
    """
    settings, relay = sender.settings, sender.relay
    known: list[object] = [
        settings.local_name,
        settings.relay_token_command,
        [relay.host, relay.port, relay.security, relay.username, relay.password],
    ]
    if fault is SetupFault.SENDER:
        known += [sender.identity.from_address, sender.plain_path or sender.path_domain]
    return Tokens(settings.secret_keys).keyed_hash("relay-settings", json.dumps(known))[:32]


def standing_key(sender: Sender, fault: SetupFault) -> str:
    """Return the key of the row that has the refusals of this kind.

    A refused name or account concerns every sender at the relay.
    """
    if fault is SetupFault.SENDER:
        return standings.sender_key(sender)
    return standings.relay_key(sender.relay)


def waiting(both: SenderStanding, sender: Sender) -> Refusals | None:
    """Return the refusals because of which all emails of a sender wait.

    Returns None if they do not wait, or if the settings have changed since.
    """
    found = (_waiting(row, sender, fault) for row, fault in _rows(both))
    return next((each for each in found if each is not None), None)


def outdated_waits(session: Session, senders: Sequence[Sender], now: datetime) -> list[Sender]:
    """Return the senders with refusals of settings that have changed since."""
    found = zip(senders, standings.read_standings(session, senders, now), strict=True)
    return [
        sender
        for sender, both in found
        if any(_is_outdated(row.refusals, sender, fault) for row, fault in _rows(both))
    ]


def seconds_to_test(both: SenderStanding, sender: Sender, clock: datetime) -> float | None:
    """Return in how many seconds a test message may be sent; None if nothing waits, and all may be sent."""
    found = (row_seconds_to_test(row, sender, fault, clock) for row, fault in _rows(both))
    return max((each for each in found if each is not None), default=None)


def row_seconds_to_test(row: Standing, sender: Sender, fault: SetupFault, clock: datetime) -> float | None:
    """Return in how many seconds this row allows a test message; None if nothing waits because of it."""
    found = _waiting(row, sender, fault)
    if found is None or found.try_at is None:
        return None
    _, now = catch_up(row, clock)
    return max(0.0, (found.try_at - now).total_seconds())


def _rows(both: SenderStanding) -> tuple[tuple[Standing, SetupFault], ...]:
    """Return the two rows that may have refusals, each with a fault that stands in it."""
    return (both.relay, SetupFault.ACCOUNT), (both.sender, SetupFault.SENDER)


def _waiting(row: Standing, sender: Sender, fault: SetupFault) -> Refusals | None:
    found = row.refusals
    if found is None or found.try_at is None or _is_outdated(found, sender, fault):
        return None
    return found


def _is_outdated(found: Refusals | None, sender: Sender, fault: SetupFault) -> bool:
    return found is not None and found.settings != settings_mark(sender, fault)


def note_refusal(
    session: Session,
    senders: Senders,
    sender: Sender,
    fault: SetupFault,
    said: str,
    now: datetime,
    delivery_id: int | None,
) -> bool:
    """Record that the relay refused our settings; return whether emails wait because of it now.

    `delivery_id` is the delivery that it refused, or None if it refused the connection. Commits nothing.
    """
    mark = settings_mark(sender, fault)
    made_at = session.scalar(select(Delivery.created_at).where(Delivery.id == delivery_id))
    accepted = made_at is not None and accepted_since(session, senders, sender, fault, made_at)
    doubted = delivery_id if accepted else None
    quoted = without_addresses(said).strip()[:LONGEST_QUOTE]

    def waits(standing: Standing) -> bool:
        return _waiting(standing, sender, fault) is not None

    def note(standing: Standing, now: datetime) -> Standing:
        standing, now = catch_up(standing, now)
        found = one_more(standing.refusals, fault.value, quoted, mark, now, doubted=doubted)
        begins = found.try_at is not None and not waits(standing)
        return replace(standing, refusals=found, told_at=now if begins else standing.told_at)

    before, after = standings.change(session, standing_key(sender, fault), note, now)
    if after.refusals is None or after.refusals.try_at is None:
        return False
    if not waits(before):
        log.error("event=setup_refused fault=%s newsletter=%d", fault, sender.newsletter_id)
        told_lately = before.told_at is not None and after.seen_at - before.told_at < TOLD
        tell(session, sender, fault, quoted, now, told_lately=told_lately)
    return True


def end_wait(session: Session, sender: Sender, now: datetime) -> None:
    """End the waits of a sender and of its relay: the relay accepted a message. Commits nothing.

    Deliveries that were deferred in a wait become due now, and the owner's notices are closed.
    """
    for fault in (SetupFault.ACCOUNT, SetupFault.SENDER):
        _end(session, sender, fault, now)


def end_outdated_waits(session: Session, sender: Sender, now: datetime) -> None:
    """End those of the waits whose settings have changed. Commits nothing."""
    for fault in (SetupFault.ACCOUNT, SetupFault.SENDER):
        found = standings.read(session, standing_key(sender, fault), now).refusals
        if _is_outdated(found, sender, fault):
            _end(session, sender, fault, now)


def _end(session: Session, sender: Sender, fault: SetupFault, now: datetime) -> None:
    def forget(standing: Standing, _now: datetime) -> Standing:
        return replace(standing, refusals=None)

    before, _ = standings.change(session, standing_key(sender, fault), forget, now)
    if before.refusals is None:
        return
    settle_all(session, sender, fault, now)
    if before.refusals.try_at is not None:
        _release(session, now, before.refusals.doubted)


def _release(session: Session, now: datetime, doubted: Sequence[int] = ()) -> None:
    """Make due the deferred deliveries that a refused setting caused: only these have a 5yz reply.

    `doubted` deliveries keep their due time. If their refusals were about their recipients, they would be
    claimed first, refused again, and begin the next wait. Deliveries of a sender that still waits are not
    claimed before its own wait ends.
    """
    deferred = (
        Delivery.state == DeliveryState.DEFERRED,
        Delivery.reply_code >= 500,
        Delivery.due_at > now,
        Delivery.id.not_in(doubted),
    )
    sending = select(Issue.id).where(Issue.state == IssueState.SENDING)
    for mine in (is_single(), Delivery.issue_id.in_(sending) & (Delivery.lane == Lane.BULK)):
        again = update(Delivery).where(mine, *deferred).values(due_at=now)
        session.execute(again.execution_options(synchronize_session=False))


def try_now(session: Session, sender: Sender, now: datetime) -> None:
    """Allow a test message at once, after a relay check that passed. Commits nothing."""
    for fault in (SetupFault.ACCOUNT, SetupFault.SENDER):
        standings.change(session, standing_key(sender, fault), try_next, now)
    _release(session, now)


def try_next(standing: Standing, clock: datetime) -> Standing:
    """Return the standing after a test message proved nothing: another may be sent at once."""
    standing, now = catch_up(standing, clock)
    return replace(standing, refusals=standing.refusals and standing.refusals.try_next(now))


def trying(standing: Standing, clock: datetime) -> Standing:
    """Return the standing after a test message was given out, whose reply is not known yet."""
    standing, now = catch_up(standing, clock)
    return replace(standing, refusals=standing.refusals and standing.refusals.trying(now))
