"""Find the subscriber of a signed link, or return why the link cannot be used."""

from __future__ import annotations

import enum
import hmac
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import TokenExpired, TokenInvalid
from newsletter.models import Delivery, Subscriber
from newsletter.models.tables.subscriber import went_to_present_address
from newsletter.tokens import REQUESTED, Purpose, Tokens

# An earlier version merged rows: `moved_to` points to the row that replaced one, which may point to a next.
MOST_MOVES = 10
# For so long, the subscriber is expected to have opened a link that was emailed on request.
LATELY = timedelta(hours=1)


class LinkFault(enum.StrEnum):
    """Why a link cannot be used. Each reason has a page that explains it and offers a new link.

    LATE: a link that works for one hour has expired (subscribers/privacy/emailed_links.py). DELETED: the
    address of its subscriber was deleted.
    """

    EXPIRED = "expired"
    LATE = "late"
    USED = "used"
    REPLACED = "replaced"
    DAMAGED = "damaged"
    OUTDATED = "outdated"
    DELETED = "deleted"


def find_link_subscriber(
    session: Session,
    tokens: Tokens,
    public_id: str,
    fingerprint: str | None,
    *,
    lock: bool = False,
    follow: bool = False,
) -> Subscriber | LinkFault:
    """Return the subscriber for whom a genuine link was made, with a row lock if `lock`.

    If `fingerprint` does not match the present address, the address was changed since, and the link is
    OUTDATED. If the address was deleted, it is DELETED. Unsubscribe links have no fingerprint, so they still
    work after a change of address. If an earlier version merged the row, they lead to the row that replaced
    it; other links do so only with `follow`.
    """
    wanted = select(Subscriber).where(Subscriber.public_id == public_id)
    if lock:
        wanted = wanted.with_for_update()
    subscriber = session.scalars(wanted).one_or_none()
    if fingerprint is None or follow:
        for _ in range(MOST_MOVES):
            if subscriber is None or subscriber.moved_to is None:
                break
            subscriber = session.get(Subscriber, subscriber.moved_to, with_for_update=lock or None)
    if subscriber is None:
        return LinkFault.OUTDATED
    if subscriber.email_key is None:
        return without_address(subscriber)
    if fingerprint is not None:
        today = tokens.fingerprint(subscriber.email_key)
        if not hmac.compare_digest(today.encode(), fingerprint.encode()):
            return LinkFault.OUTDATED
    return subscriber


def without_address(subscriber: Subscriber) -> LinkFault:
    """Return why the links of a subscriber without an address cannot be used."""
    return LinkFault.OUTDATED if subscriber.moved_to is not None else LinkFault.DELETED


def read_payload(
    tokens: Tokens, purpose: Purpose, token: str, now: datetime, *, expired: LinkFault = LinkFault.EXPIRED
) -> list[Any] | LinkFault:
    """Return the values in a link's token, or why the link cannot be used.

    `expired` is the fault of a link that is too old.
    """
    try:
        return tokens.read(purpose, token, now)
    except TokenExpired:
        return expired
    except TokenInvalid:
        return LinkFault.DAMAGED


def read_link_subscriber(
    session: Session, tokens: Tokens, token: str, now: datetime, *, lock: bool = False
) -> Subscriber | LinkFault:
    """Return the subscriber of a preferences link. It never expires, but a change of address ends it."""
    match read_payload(tokens, Purpose.PREFERENCES, token, now):
        case [str(public_id), str(fingerprint)] | [str(public_id), str(fingerprint), "requested"]:
            return find_link_subscriber(session, tokens, public_id, fingerprint, lock=lock, follow=True)
        case _:
            return LinkFault.DAMAGED


def emailed_lately(tokens: Tokens, token: str, now: datetime) -> datetime | None:
    """Return when a preferences link was made, if that was within the hour and for a requested email.

    Somebody who got a forwarded digest cannot have such a link: the email goes to the subscriber's mailbox.
    """
    try:
        made_at, payload = tokens.open(Purpose.PREFERENCES, token, now)
    except (TokenExpired, TokenInvalid):
        return None
    return made_at if payload[2:] == [REQUESTED] and now - made_at <= LATELY else None


def reaches_today(
    session: Session, subscriber: Subscriber, made_at: datetime, delivery_id: int | None
) -> bool:
    """Return whether a link was sent to the present address, and not to an earlier one.

    `made_at` is when the link was made, and `delivery_id` is the email that carried it. Somebody else may now
    read an earlier address. A link that was sent there can only unsubscribe, because that can be undone. It
    shows nothing and opens no other page. If there is doubt, return False.
    """
    since = subscriber.address_since
    if since is None:
        return True
    if not went_to_present_address(since, made_at):
        return False
    if delivery_id is None:
        return True
    written_at = session.scalar(
        select(Delivery.created_at).where(Delivery.id == delivery_id, Delivery.subscriber_id == subscriber.id)
    )
    return written_at is not None and went_to_present_address(since, written_at)


def address_hint(email: str) -> str:
    """Return an address in a form that its owner recognises and that hides it: r…@example.org."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"


def longer_hint(email: str) -> str:
    """Return an address for a page that only its owner was sent: ro…t@example.org.

    It tells two addresses of one person apart. Of a short name, only the first character is shown.
    """
    local, _, domain = email.rpartition("@")
    return f"{local[:2]}…{local[-1]}@{domain}" if len(local) > 4 else address_hint(email)
