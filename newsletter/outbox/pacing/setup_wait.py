"""Stop both lanes while the relay refuses our sender, our EHLO name or our account.

Such a relay refuses every message for the same reason, so no delivery is rejected for it. The refused
deliveries are deferred, and one test message is sent from time to time. The wait ends when the relay accepts
one, or at once when the settings in question are changed.

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

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from newsletter.mail.redact import without_addresses
from newsletter.models import Delivery, DeliveryState, Issue, IssueState, Lane, is_single
from newsletter.notices import NoticeKind, find_open, settle, tell_owner
from newsletter.outbox.pacing import standings
from newsletter.outbox.pacing.pace import Standing, catch_up
from newsletter.outbox.pacing.setup_refusals import Refusals, one_more
from newsletter.outbox.refused.outcome_keys import microseconds, relay_name, relay_number
from newsletter.settings import Settings, choose_relay, plain_return_path, variable
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


def settings_mark(settings: Settings) -> str:
    """Return a keyed hash of the settings that a relay may refuse. If it changes, a wait ends."""
    relay = choose_relay(settings, settings.from_address)
    known = [
        settings.from_address,
        plain_return_path(settings, relay) or settings.return_path_domain,
        settings.local_name,
        settings.relay_token_command,
        [relay.host, relay.port, relay.security, relay.username, relay.password],
    ]
    return Tokens(settings.secret_keys).keyed_hash("relay-settings", json.dumps(known))[:32]


def waiting(standing: Standing, settings: Settings) -> Refusals | None:
    """Return the refusals because of which both lanes wait.

    Returns None if they do not wait, or if the settings have changed since.
    """
    found = standing.refusals
    if found is None or found.try_at is None or found.settings != settings_mark(settings):
        return None
    return found


def seconds_to_test(standing: Standing, settings: Settings, clock: datetime) -> float | None:
    """Return in how many seconds a test message may be sent; None if nothing waits, and all may be sent."""
    found = waiting(standing, settings)
    if found is None or found.try_at is None:
        return None
    _, now = catch_up(standing, clock)
    return max(0.0, (found.try_at - now).total_seconds())


def note_refusal(
    session: Session, settings: Settings, fault: SetupFault, said: str, now: datetime, delivery_id: int | None
) -> bool:
    """Record that the relay refused our settings; return whether both lanes wait now. Commits nothing.

    `delivery_id` is the delivery that it refused, or None if it refused the connection.
    """
    mark, key = settings_mark(settings), standings.relay_key(settings)
    doubted = delivery_id if _accepted_since_made(session, settings, delivery_id) else None
    quoted = without_addresses(said).strip()[:LONGEST_QUOTE]

    def note(standing: Standing, now: datetime) -> Standing:
        standing, now = catch_up(standing, now)
        waits = waiting(standing, settings) is not None
        found = one_more(standing.refusals, fault.value, quoted, mark, now, doubted=doubted)
        begins = found.try_at is not None and not waits
        return replace(standing, refusals=found, told_at=now if begins else standing.told_at)

    before, after = standings.change(session, key, note, now)
    if after.refusals is None or after.refusals.try_at is None:
        return False
    if waiting(before, settings) is None:
        log.error("event=setup_refused fault=%s relay=%s", fault, _subject(settings))
        told_lately = before.told_at is not None and after.seen_at - before.told_at < TOLD
        _tell(session, settings, fault, quoted, now, told_lately=told_lately)
    return True


def end_wait(session: Session, settings: Settings, now: datetime) -> None:
    """End the wait: the relay accepted a message, or the settings have changed. Commits nothing.

    Deliveries that were deferred in a wait become due now, and the owner's notice is closed.
    """

    def forget(standing: Standing, _now: datetime) -> Standing:
        return replace(standing, refusals=None)

    before, _ = standings.change(session, standings.relay_key(settings), forget, now)
    if before.refusals is None:
        return
    for kind in KINDS.values():
        settle(session, kind, _subject(settings), now)
    if before.refusals.try_at is not None:
        _release(session, now, before.refusals.doubted)


def _release(session: Session, now: datetime, doubted: Sequence[int] = ()) -> None:
    """Make due the deferred deliveries that a refused setting caused: only these have a 5yz reply.

    `doubted` deliveries keep their due time. If their refusals were about their recipients, they would be
    claimed first, refused again, and begin the next wait.
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


def try_now(session: Session, settings: Settings, now: datetime) -> None:
    """Allow a test message at once, after a relay check that passed. Commits nothing."""

    standings.change(session, standings.relay_key(settings), try_next, now)
    _release(session, now)


def try_next(standing: Standing, clock: datetime) -> Standing:
    """Return the standing after a test message proved nothing: another may be sent at once."""
    standing, now = catch_up(standing, clock)
    return replace(standing, refusals=standing.refusals and standing.refusals.try_next(now))


def trying(standing: Standing, clock: datetime) -> Standing:
    """Return the standing while a test message is sent."""
    standing, now = catch_up(standing, clock)
    return replace(standing, refusals=standing.refusals and standing.refusals.trying(now))


def is_contradicted(session: Session, settings: Settings, delivery_id: int, now: datetime) -> bool:
    """Return whether the relay refused a delivery before, and accepted others lately.

    Then the refusal is about its recipient. For a first refusal this is False, because the relay may have
    just begun to refuse everybody.
    """
    refused = exists().where(Delivery.id == delivery_id, Delivery.reply_code >= 500)
    return bool(session.scalar(select(refused))) and accepted_since(session, settings, now - LATELY)


def accepted_since(session: Session, settings: Settings, since: datetime) -> bool:
    """Return whether the relay has accepted an email since then."""
    accepted = Delivery.state == DeliveryState.ACCEPTED
    digest = exists().where(
        Delivery.relay_key == relay_number(relay_name(settings)),
        Delivery.answered_microseconds >= microseconds(since),
        accepted,
    )
    # `due_at` is in the index. An email that was due after `since` was also accepted after it.
    single = exists().where(is_single(), accepted, Delivery.due_at >= since)
    return any(session.scalar(select(each)) for each in (single, digest))


def _accepted_since_made(session: Session, settings: Settings, delivery_id: int | None) -> bool:
    made_at = session.scalar(select(Delivery.created_at).where(Delivery.id == delivery_id))
    return made_at is not None and accepted_since(session, settings, made_at)


def remedy(fault: SetupFault, settings: Settings) -> str:
    """Return a sentence that says which setting to change for a fault."""
    relay = choose_relay(settings, settings.from_address)
    if fault is SetupFault.HELLO:
        return (
            f"Set {variable('ehlo_name')} to a name that the relay takes, such as one that DNS knows for "
            f"this host; now it is {settings.local_name}."
        )
    if fault is SetupFault.ACCOUNT:
        return (
            f"Check user name, password and protection in {variable('relay')} (or {variable('relays')}), or "
            f"what {variable('relay_token_command')} prints."
        )
    if plain_return_path(settings, relay) is None:
        return (
            f"Set {variable('return_path')} to the address of your account at the relay, and check that the "
            f"account may send as {variable('from_address')}."
        )
    return (
        f"Set {variable('return_path')} and {variable('from_address')} to addresses that your account at the "
        "relay may send as."
    )


def what_is_refused(fault: SetupFault) -> str:
    """Return what the relay refuses, in words that follow "the relay refuses"."""
    return {
        SetupFault.SENDER: "our sender address",
        SetupFault.HELLO: "our name in EHLO",
        SetupFault.ACCOUNT: "our account",
    }[fault]


def _subject(settings: Settings) -> str:
    relay = choose_relay(settings, settings.from_address)
    return f"{relay.host}:{relay.port}"


def _tell(
    session: Session, settings: Settings, fault: SetupFault, said: str, now: datetime, *, told_lately: bool
) -> None:
    kind, subject = KINDS[fault], _subject(settings)
    is_new = tell_owner(session, kind, subject, now, said=said, mend=remedy(fault, settings))
    if is_new and told_lately and (notice := find_open(session, kind, subject)) is not None:
        notice.emailed_at = now
