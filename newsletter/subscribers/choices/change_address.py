"""Change a subscriber's address: request, confirm at the new address, undo from the old address.

The link to request a change is emailed to the old address. The link to confirm it is emailed to the new one.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from newsletter.errors import StateConflict
from newsletter.limits.keys import limit_key, mailbox_of
from newsletter.limits.spend import spend_all
from newsletter.mail.addresses import Address
from newsletter.models import (
    AddressChange,
    ConsentAct,
    EndedReason,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from newsletter.outbox.enqueue import enqueue_notice
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.choices.merge import find_restorable, lock_people, move_subscriptions, restore
from newsletter.subscribers.consent.ledger import note
from newsletter.subscribers.link import LinkFault, read_payload, without_address
from newsletter.subscribers.privacy.emailed_links import Right, read_right
from newsletter.suppression import forget_subscriber, is_suppressed, may_join
from newsletter.throttle import Limit
from newsletter.tokens import Purpose, Tokens

# How often one subscriber may ask. Each request sends an email to an address whose owner may not expect it.
PER_SUBSCRIBER = Limit(burst=3, period_seconds=86400)
# How many of these emails an address gets from all subscribers. The limits of the sign-up form do not count
# here. Otherwise, the answer would say whether somebody has just asked for a link for that address.
PER_ADDRESS = Limit(burst=3, period_seconds=86400)
# Unconfirmed requests are emptied this long after their links have expired.
FORGET_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Asked:
    """The result of a request. `same`: they have this address already. `wait_seconds`: time until a retry."""

    same: bool = False
    wait_seconds: float = 0.0


@dataclass(frozen=True)
class Move:
    """What the button would do: send emails to `new` instead of `old`. `is_undo`: it undoes a change."""

    old: str
    new: str
    is_undo: bool


@dataclass(frozen=True)
class Moved:
    """The subscriber at the new address.

    `joined`: the new address was subscribed before. `changed`: this request changed the address; otherwise an
    earlier one had done so.
    """

    public_id: str
    email_key: str
    joined: bool
    changed: bool


def request_address_change(
    session: Session,
    tokens: Tokens,
    token: str,
    address: Address,
    now: datetime,
    ip_address: str | None = None,
) -> Asked | LinkFault:
    """Email a confirmation link to the new address of the subscriber behind `token`. Commits nothing.

    `token` was emailed to the old address within the last hour (subscribers/privacy/emailed_links.py). The
    result is the same if the new address is known, unknown or suppressed. Nothing changes until it is
    confirmed. A later request replaces an earlier one.
    """
    subscriber = read_right(session, tokens, Right.ADDRESS, token, now, lock=True)
    if isinstance(subscriber, LinkFault):
        return subscriber
    if address.canonical == subscriber.email_key and address.text == subscriber.email:
        return Asked(same=True)
    limits = {
        limit_key(tokens, "move", subscriber.public_id): PER_SUBSCRIBER,
        limit_key(tokens, "move-to", mailbox_of(address.canonical)): PER_ADDRESS,
    }
    spent = spend_all(session, limits, now)
    if spent.wait_seconds:
        return Asked(wait_seconds=spent.wait_seconds)
    _settle(session, subscriber.id, now, everything=False)
    change = _add_change(session, subscriber, address, now, ip_address=ip_address)
    if may_join(session, tokens, address.canonical):
        _mail(session, "change_address", subscriber, address, change, f"move:{change.id}", now)
    return Asked()


def read_move(session: Session, tokens: Tokens, token: str, now: datetime) -> Move | LinkFault:
    """Return what a link would change, or why it cannot be used; changes nothing."""
    found = _open(session, tokens, token, now)
    if isinstance(found, _Done):
        return LinkFault.USED
    if isinstance(found, LinkFault):
        return found
    subscriber, change = found
    return Move(subscriber.email or "", change.email or "", change.is_undo)


def move(
    session: Session,
    tokens: Tokens,
    token: str,
    now: datetime,
    *,
    ip_address: str | None = None,
    catch_up: int | None = None,
) -> Moved | LinkFault:
    """Send emails to the new address from now on. A repeated call changes nothing more. Commits nothing.

    Links with the fingerprint of the old address end; unsubscribe links still work. Deliveries in the outbox
    go to the new address. If the new address is subscribed already, both rows stay: its topics stay, and
    those that it lacks begin there (merge.py). If a pause ends by this, the newest `catch_up` releases of
    each topic are still sent, or all if it is None. The old address gets an email and can undo the change for
    some days; undoing needs no confirmation. Raises StateConflict if another change happened at the same
    time.
    """
    for last in (False, True):
        try:
            with session.begin_nested():
                return _move(session, tokens, token, now, ip_address, catch_up)
        except IntegrityError:
            # Another transaction has just taken the new address. The second attempt can see its row.
            if last:
                raise
    raise AssertionError("both attempts ended without a result")


def _move(
    session: Session,
    tokens: Tokens,
    token: str,
    now: datetime,
    ip_address: str | None,
    catch_up: int | None,
) -> Moved | LinkFault:
    found = _open(session, tokens, token, now)
    if isinstance(found, tuple):
        lock_people(session, _involved(session, *found))
        locked = set(_involved(session, *found))
        # What was read before the lock may have changed while waiting for it.
        found = _open(session, tokens, token, now)
        if isinstance(found, tuple) and not set(_involved(session, *found)) <= locked:
            raise StateConflict("The address has just changed. Reload the page and try again.")
    if isinstance(found, _Done):
        return Moved(found.public_id, found.email_key, joined=False, changed=False)
    if isinstance(found, LinkFault):
        return found
    subscriber, change = found
    address = Address(change.email or "", change.email_key or "")
    # An undo returns to an address that was accepted before, so a later rule does not matter.
    goes = not is_suppressed(session, tokens, address.canonical)
    if not (goes if change.is_undo else may_join(session, tokens, address.canonical)):
        return LinkFault.OUTDATED
    return _move_to(session, tokens, subscriber, change, address, now, ip_address, catch_up)


def _move_to(
    session: Session,
    tokens: Tokens,
    subscriber: Subscriber,
    change: AddressChange,
    address: Address,
    now: datetime,
    ip_address: str | None,
    catch_up: int | None,
) -> Moved:
    old = Address(subscriber.email or "", subscriber.email_key or "")
    is_undo = change.is_undo
    told = _undo_moves(session, subscriber, change, now, ip_address) if is_undo else []
    there = _who_has(session, address, but=subscriber)
    how = "undo" if is_undo else "link"
    if there is None:
        _take_address(session, subscriber, address, how, now, ip_address)
        now_at = subscriber
    else:
        move_subscriptions(session, subscriber, there, how, now, ip_address, catch_up)
        now_at = there
    _settle(session, subscriber.id, now, everything=is_undo)
    if old.canonical != address.canonical and not is_suppressed(session, tokens, old.canonical):
        # After an undo, the address that is given up gets a notice without an undo link.
        way_back = None if is_undo else _add_change(session, subscriber, old, now, is_undo=True)
        _mail(session, "address_changed", subscriber, old, way_back, f"moved:{change.id}", now)
    for each in told:
        _mail(session, "address_changed", subscriber, each, None, f"moved:{change.id}", now)
    return Moved(now_at.public_id, address.canonical, joined=there is not None, changed=True)


def _take_address(
    session: Session,
    subscriber: Subscriber,
    address: Address,
    how: str,
    now: datetime,
    ip_address: str | None,
) -> None:
    if (subscriber.email_key, subscriber.email) == (address.canonical, address.text):
        return  # an undo after only topics were moved: the address itself never changed
    if subscriber.email_key != address.canonical:
        forget_subscriber(session, subscriber.id)
        subscriber.address_since = now
    subscriber.email, subscriber.email_key = address.text, address.canonical
    session.flush()
    note(session, subscriber.id, ConsentAct.MOVED, how, now, ip_address=ip_address, joined=False)


def _undo_moves(
    session: Session, subscriber: Subscriber, change: AddressChange, now: datetime, ip_address: str | None
) -> list[Address]:
    """Restore the subscriptions that moves since `change` ended; return the addresses left without any."""
    found = find_restorable(session, subscriber, change.created_at)
    left = []
    for person in restore(session, subscriber, found, now, ip_address):
        still = subscription_rows.of_subscriber(session, person.id, SubscriptionState.ACTIVE)
        if person.email and person.email_key and not still:
            left.append(Address(person.email, person.email_key))
    return left


def _who_has(session: Session, address: Address, but: Subscriber) -> Subscriber | None:
    held = select(Subscriber).where(Subscriber.email_key == address.canonical, Subscriber.id != but.id)
    return session.scalars(held.execution_options(populate_existing=True)).one_or_none()


def _involved(session: Session, subscriber: Subscriber, change: AddressChange) -> list[int]:
    """Return the ids of all subscribers whose topics this change may affect."""
    ids = [subscriber.id]
    there = _who_has(session, Address(change.email or "", change.email_key or ""), but=subscriber)
    if there is not None:
        ids.append(there.id)
    if change.is_undo:
        found = find_restorable(session, subscriber, change.created_at)
        ids += [each.latest.subscriber_id for each in found if each.latest is not None]
    return ids


def empty_old_address_changes(session: Session, now: datetime, link_days: int) -> int:
    """Empty unconfirmed requests whose links have expired; return how many. Commits nothing."""
    too_old = now - timedelta(days=link_days) - FORGET_AFTER
    emptied = session.scalars(
        update(AddressChange)
        .where(AddressChange.settled_at.is_(None), AddressChange.created_at < too_old)
        .values(email=None, email_key=None, ip_address=None, settled_at=now)
        .returning(AddressChange.id)
        .execution_options(synchronize_session=False)
    )
    return len(list(emptied))


@dataclass(frozen=True)
class _Done:
    """A link that was used, and whose change is still in effect."""

    public_id: str
    email_key: str


def _open(
    session: Session, tokens: Tokens, token: str, now: datetime
) -> tuple[Subscriber, AddressChange] | _Done | LinkFault:
    match read_payload(tokens, Purpose.CHANGE_ADDRESS, token, now):
        case LinkFault() as fault:
            return fault
        case [str(public_id), int(change_id), str(fingerprint)]:
            wanted = select(Subscriber).where(Subscriber.public_id == public_id)
        case _:
            return LinkFault.DAMAGED
    subscriber = session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()
    change = session.get(AddressChange, change_id, populate_existing=True)
    if subscriber is None or change is None or change.subscriber_id != subscriber.id:
        return LinkFault.DAMAGED
    found = _still_good(tokens, subscriber, change, fingerprint)
    if found is LinkFault.REPLACED and _handed_over(session, change):
        return LinkFault.USED
    return found


def _handed_over(session: Session, change: AddressChange) -> bool:
    """Return whether this request moved topics to another subscriber's row."""
    ended = exists().where(
        Subscription.subscriber_id == change.subscriber_id,
        Subscription.ended_reason == EndedReason.MOVED,
        Subscription.ended_at == change.settled_at,
    )
    return bool(session.scalar(select(ended)))


def _still_good(
    tokens: Tokens, subscriber: Subscriber, change: AddressChange, fingerprint: str
) -> tuple[Subscriber, AddressChange] | _Done | LinkFault:
    def is_of(email_key: str | None) -> bool:
        return hmac.compare_digest(tokens.fingerprint(email_key or "").encode(), fingerprint.encode())

    if subscriber.email_key is None:
        return without_address(subscriber)
    if change.settled_at is None:
        return (subscriber, change) if is_of(change.email_key) else LinkFault.DAMAGED
    if is_of(subscriber.email_key):
        return _Done(subscriber.public_id, subscriber.email_key)
    return LinkFault.REPLACED


def _add_change(
    session: Session,
    subscriber: Subscriber,
    address: Address,
    now: datetime,
    *,
    ip_address: str | None = None,
    is_undo: bool = False,
) -> AddressChange:
    change = AddressChange(
        subscriber_id=subscriber.id,
        email=address.text,
        email_key=address.canonical,
        ip_address=ip_address,
        is_undo=is_undo,
        created_at=now,
    )
    session.add(change)
    session.flush()
    return change


def _settle(session: Session, subscriber_id: int, now: datetime, *, everything: bool) -> None:
    """Void a subscriber's open requests, and with `everything` also the undo links of old addresses."""
    unsettled = select(AddressChange).where(
        AddressChange.subscriber_id == subscriber_id, AddressChange.settled_at.is_(None)
    )
    for change in session.scalars(unsettled):
        if everything or not change.is_undo:
            change.email = change.email_key = change.ip_address = None
            change.settled_at = now
    session.flush()


def _mail(
    session: Session,
    template: str,
    subscriber: Subscriber,
    to: Address,
    change: AddressChange | None,
    purpose_key: str,
    now: datetime,
) -> None:
    """Enqueue an email to the new or the old address. It contains nothing that a visitor typed."""
    enqueue_notice(
        session,
        recipient=to.text,
        template=template,
        context={"reader": subscriber.public_id, "change": change.id if change else None},
        purpose_key=purpose_key,
        language=subscriber.language,
        now=now,
        newsletter_id=subscription_rows.speaks_for(session, subscriber.id),
    )
