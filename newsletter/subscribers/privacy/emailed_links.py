"""Links that are emailed on request and work for one hour: export, erasure, new address.

People forward digests, and the links in them go along. Those links can only unsubscribe, pause and change
preferences. To copy data, erase a person or change the address, a link of this kind is needed. It is sent
only to the subscriber's own address.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.limits.keys import limit_key, mailbox_of
from newsletter.limits.spend import spend
from newsletter.models import Subscriber
from newsletter.outbox.enqueue import enqueue_single
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.link import LinkFault, find_link_subscriber, read_link_subscriber, read_payload
from newsletter.suppression import is_suppressed
from newsletter.throttle import Limit
from newsletter.tokens import Purpose, Tokens

# How many emails with a link for one right an address gets a day. Somebody with a forwarded digest can use
# them up, but the subscriber gets the links and can use them.
PER_ADDRESS = Limit(burst=4, period_seconds=86400)


class Right(enum.StrEnum):
    """What an emailed link allows."""

    EXPORT = "export"
    ERASE = "erase"
    ADDRESS = "address"


PURPOSES: Mapping[Right, Purpose] = {
    Right.EXPORT: Purpose.EXPORT,
    Right.ERASE: Purpose.ERASE,
    Right.ADDRESS: Purpose.NEW_ADDRESS,
}


@dataclass(frozen=True)
class LinkAsked:
    """The result of a request: `wait_seconds` is 0.0 unless this address has got too many links."""

    wait_seconds: float = 0.0


def ask_for_link(
    session: Session, tokens: Tokens, token: str, right: Right, now: datetime
) -> LinkAsked | LinkFault:
    """Email a link for `right` to the subscriber behind a preferences link. Commits nothing.

    A suppressed address gets no email, but the result is the same. So somebody with a forwarded digest cannot
    find out whether it is suppressed.
    """
    subscriber = read_link_subscriber(session, tokens, token, now, lock=True)
    if isinstance(subscriber, LinkFault):
        return subscriber
    email_key = subscriber.email_key or ""
    key = limit_key(tokens, f"rights:{right}", mailbox_of(email_key))
    wait_seconds = spend(session, key, PER_ADDRESS, now)
    if wait_seconds:
        return LinkAsked(wait_seconds)
    if not is_suppressed(session, tokens, email_key):
        enqueue_single(
            session,
            subscriber_id=subscriber.id,
            template="own_link",
            context={"right": right.value},
            purpose_key=f"{right}:{now.isoformat()}",
            language=subscriber.language,
            now=now,
            newsletter_id=subscription_rows.speaks_for(session, subscriber.id),
        )
    return LinkAsked()


def read_right(
    session: Session, tokens: Tokens, right: Right, token: str, now: datetime, *, lock: bool = False
) -> Subscriber | LinkFault:
    """Return the subscriber of a link for `right`, or why the link cannot be used."""
    match read_payload(tokens, PURPOSES[right], token, now, expired=LinkFault.LATE):
        case LinkFault() as fault:
            return fault
        case [str(public_id), str(fingerprint)]:
            return find_link_subscriber(session, tokens, public_id, fingerprint, lock=lock)
        case _:
            return LinkFault.DAMAGED
