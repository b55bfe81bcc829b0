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
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from newsletter.mail.redact import without_addresses
from newsletter.messages.sender import Sender, Senders
from newsletter.models import Delivery, DeliveryState, Issue, IssueState, Lane, is_single, of_newsletters
from newsletter.notices import NoticeKind, find_open, settle, tell_owner
from newsletter.outbox.pacing import standings
from newsletter.outbox.pacing.pace import Standing, catch_up
from newsletter.outbox.pacing.setup_refusals import Refusals, one_more
from newsletter.outbox.pacing.standings import SenderStanding
from newsletter.outbox.refused.outcome_keys import microseconds, relay_number
from newsletter.settings import variable
from newsletter.smtp.refusals import SetupFault
from newsletter.tokens import Tokens

log = logging.getLogger(__name__)

# Longer than a refused delivery is deferred, so that an acceptance between two attempts is found.
LATELY = timedelta(minutes=30)
# If a wait begins again within this time, the owner gets no second email about it.
TOLD = timedelta(hours=1)
LONGEST_QUOTE = 300

KINDS = {
    SetupFault.SENDER: NoticeKind.SENDER_REFUSED,
    SetupFault.HELLO: NoticeKind.HELLO_REFUSED,
    SetupFault.ACCOUNT: NoticeKind.ACCOUNT_REFUSED,
}


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


def waiting(standing: SenderStanding, sender: Sender) -> Refusals | None:
    """Return the refusals because of which all emails of a sender wait.

    Returns None if they do not wait, or if the settings have changed since.
    """
    for row, scope in ((standing.relay, SetupFault.ACCOUNT), (standing.sender, SetupFault.SENDER)):
        found = row.refusals
        if found is not None and found.try_at is not None and found.settings == settings_mark(sender, scope):
            return found
    return None


def outdated_waits(session: Session, senders: Sequence[Sender], now: datetime) -> list[Sender]:
    """Return the senders with refusals of settings that have changed since."""
    found = zip(senders, standings.read_standings(session, senders, now), strict=True)
    return [sender for sender, standing in found if _is_outdated(standing, sender)]


def _is_outdated(standing: SenderStanding, sender: Sender) -> bool:
    rows = ((standing.relay, SetupFault.ACCOUNT), (standing.sender, SetupFault.SENDER))
    return any(
        row.refusals is not None and row.refusals.settings != settings_mark(sender, scope)
        for row, scope in rows
    )


def relay_test_seconds(standing: Standing, sender: Sender, clock: datetime) -> float | None:
    """Return in how many seconds the relay may get a test message; None if it refuses no name or account."""
    return _test_seconds(standing, settings_mark(sender, SetupFault.ACCOUNT), clock)


def sender_test_seconds(standing: Standing, sender: Sender, clock: datetime) -> float | None:
    """Return in how many seconds the sender may send a test message; None if the relay does not refuse it."""
    return _test_seconds(standing, settings_mark(sender), clock)


def seconds_to_test(standing: SenderStanding, sender: Sender, clock: datetime) -> float | None:
    """Return in how many seconds a test message may be sent; None if nothing waits, and all may be sent."""
    both = (
        relay_test_seconds(standing.relay, sender, clock),
        sender_test_seconds(standing.sender, sender, clock),
    )
    return max((each for each in both if each is not None), default=None)


def _test_seconds(standing: Standing, mark: str, clock: datetime) -> float | None:
    found = standing.refusals
    if found is None or found.try_at is None or found.settings != mark:
        return None
    _, now = catch_up(standing, clock)
    return max(0.0, (found.try_at - now).total_seconds())


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
        return _test_seconds(standing, mark, now) is not None

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
        _tell(session, sender, fault, quoted, now, told_lately=told_lately)
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
        if found is not None and found.settings != settings_mark(sender, fault):
            _end(session, sender, fault, now)


def _end(session: Session, sender: Sender, fault: SetupFault, now: datetime) -> None:
    def forget(standing: Standing, _now: datetime) -> Standing:
        return replace(standing, refusals=None)

    before, _ = standings.change(session, standing_key(sender, fault), forget, now)
    if before.refusals is None:
        return
    for kind in KINDS.values():
        settle(session, kind, _subject(sender, fault), now)
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
    """Return the standing while a test message is sent."""
    standing, now = catch_up(standing, clock)
    return replace(standing, refusals=standing.refusals and standing.refusals.trying(now))


def is_contradicted(
    session: Session, senders: Senders, sender: Sender, fault: SetupFault, delivery_id: int, now: datetime
) -> bool:
    """Return whether the relay refused a delivery before, and accepted others lately.

    Then the refusal is about its recipient. For a first refusal this is False, because the relay may have
    just begun to refuse everybody.
    """
    refused = exists().where(Delivery.id == delivery_id, Delivery.reply_code >= 500)
    if not session.scalar(select(refused)):
        return False
    return accepted_since(session, senders, sender, fault, now - LATELY)


def accepted_since(
    session: Session, senders: Senders, sender: Sender, fault: SetupFault, since: datetime
) -> bool:
    """Return whether the relay has accepted an email since then, for which it could have had this fault."""
    accepted = Delivery.state == DeliveryState.ACCEPTED
    digest = [
        Delivery.relay_key == relay_number(sender.relay.key),
        Delivery.answered_microseconds >= microseconds(since),
        accepted,
    ]
    # `due_at` is in the index. An email that was due after `since` was also accepted after it.
    single = [is_single(), accepted, Delivery.due_at >= since]
    theirs = _concerned(session, senders, sender, fault)
    if theirs is not None:
        digest.append(Delivery.issue_id.in_(select(Issue.id).where(Issue.newsletter_id.in_(theirs))))
        single.append(of_newsletters(theirs))
    return any(session.scalar(select(exists().where(*each))) for each in (single, digest))


def _concerned(
    session: Session, senders: Senders, sender: Sender, fault: SetupFault
) -> Collection[int] | None:
    """Return the newsletters that a fault concerns; None if it is all of them."""
    every = senders.every(session)
    if fault is SetupFault.SENDER:
        theirs = {each.newsletter_id for each in every if each.newsletter_id == sender.newsletter_id}
    else:
        theirs = {each.newsletter_id for each in senders.at_relay(session, sender.relay)}
    return None if len(theirs) == len(every) else sorted(theirs)


def remedy(fault: SetupFault, sender: Sender) -> str:
    """Return a sentence that says what to change for a fault."""
    if fault is SetupFault.HELLO:
        return (
            f"Set {variable('ehlo_name')} to a name that the relay takes, such as one that DNS knows for "
            f"this host; now it is {sender.settings.local_name}."
        )
    if fault is SetupFault.ACCOUNT:
        return (
            f"Check user name, password and protection in {variable('relay')} (or {variable('relays')}), or "
            f"what {variable('relay_token_command')} prints."
        )
    name, address = sender.identity.name, sender.identity.from_address
    if sender.plain_path is None:
        return (
            f"Set {variable('return_path')} to the address of your account at the relay, and check that the "
            f"account may send as {address}, the From address of “{name}”."
        )
    return (
        f"Set {variable('return_path')}, and the From address of “{name}” (now {address}), to addresses that "
        "your account at the relay may send as."
    )


def what_is_refused(fault: SetupFault, sender: Sender) -> str:
    """Return what the relay refuses, in words that follow "the relay refuses"."""
    address = f"{sender.identity.from_address}, the sender of “{sender.identity.name}”,"
    return {
        SetupFault.SENDER: address,
        SetupFault.HELLO: "our name in EHLO",
        SetupFault.ACCOUNT: "our account",
    }[fault]


def _subject(sender: Sender, fault: SetupFault) -> str:
    """Return the subject of a notice. It stays the same when the From address is edited."""
    if fault is SetupFault.SENDER:
        return f"newsletter {sender.newsletter_id}" + (", backup relay" if sender.by_backup else "")
    return f"{sender.relay.host}:{sender.relay.port}"


def _tell(
    session: Session, sender: Sender, fault: SetupFault, said: str, now: datetime, *, told_lately: bool
) -> None:
    kind, subject = KINDS[fault], _subject(sender, fault)
    detail = {
        "relay": f"{sender.relay.host}:{sender.relay.port}",
        "newsletter": sender.identity.name,
        "address": sender.identity.from_address,
        "said": said,
        "mend": remedy(fault, sender),
    }
    is_new = tell_owner(session, kind, subject, now, **detail)
    if is_new and told_lately and (notice := find_open(session, kind, subject)) is not None:
        notice.emailed_at = now
