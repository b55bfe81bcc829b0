"""Apply an incoming message: unsubscribe, send a link, record a report, or forward it to the owner."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.bounces.classify import (
    ForOwner,
    InboundAction,
    LinkRequestByEmail,
    NothingToDo,
    OwnAddresses,
    Returned,
    UnsubscribeByEmail,
    read_mail,
)
from newsletter.bounces.reports.match import SigningKeys
from newsletter.bounces.reports.receive import receive
from newsletter.errors import LimitReached
from newsletter.limits.spend import spend
from newsletter.mail.verp import LEAVE_KEY, RETURN_KEY
from newsletter.messages.sender import with_backups
from newsletter.outbox.owner.email import forward_to_owner
from newsletter.runtime import Runtime
from newsletter.subscribers.leaving.unsubscribe import unsubscribe
from newsletter.subscribers.link import LinkFault
from newsletter.subscribers.signup.request import request_link
from newsletter.throttle import Limit

# A message is read into memory. Requests and reports are far smaller than this.
LARGEST_MAIL_BYTES = 10 * 1024 * 1024
# Each address is sent its link rarely enough (subscribers/signup/resolve.py). This limits the rows that a
# flood of messages with invented senders can add.
ASKED_BY_MAIL = Limit(burst=60, period_seconds=600)
# At most this many emails to postmaster@ and abuse@ are forwarded to the owner in a day. Each day (UTC) has
# a bucket of its own, which hardly refills.
FOR_OWNER_A_DAY = 20
_DAY = Limit(burst=FOR_OWNER_A_DAY, period_seconds=FOR_OWNER_A_DAY * 365 * 24 * 3600)

log = logging.getLogger(__name__)


def own_addresses(runtime: Runtime) -> OwnAddresses:
    """Return the addresses of all newsletters whose incoming mail is for us, as of a second ago at most."""
    senders = with_backups(runtime.senders())
    domains = {each.path_domain.lower() for each in senders if each.plain_path is None}
    if runtime.settings.return_path_domain:
        domains.add(runtime.settings.return_path_domain.lower())
    plain = {each.plain_path.lower() for each in senders if each.plain_path is not None}
    mailbox, keys = runtime.settings.unsubscribe_address, signing_keys(runtime)
    return OwnAddresses(mailbox, keys.leave, frozenset(domains), keys.return_path, frozenset(plain))


def signing_keys(runtime: Runtime) -> SigningKeys:
    """Return the keys of the values in our emails that a report gives back."""
    return SigningKeys(runtime.tokens.derived_key(RETURN_KEY), runtime.tokens.derived_key(LEAVE_KEY))


def take_in(
    runtime: Runtime, raw: bytes, recipients: Sequence[str] = (), sender: str | None = None
) -> list[str]:
    """Do what an incoming message asks for, and commit.

    Return one word for each action: left (unsubscribed), gone, asked, owner, the outcome of a report
    (ReportOutcome), or the reason why nothing was done. `recipients` and `sender` come from the envelope, if
    known. Running it twice changes nothing more.

    Raises LimitReached if there were too many such messages, from all senders together. Database errors are
    raised too. In both cases nothing was done.
    """
    with runtime.session() as session:
        done = [
            _do(session, runtime, action, raw)
            for action in read_mail(raw, own_addresses(runtime), recipients, sender)
        ]
        session.commit()
    log.info("event=mail_received done=%s bytes=%d", ",".join(done), len(raw))
    if {"left", "asked", "owner"} & set(done):
        runtime.wake("single")
    return done


def _do(session: Session, runtime: Runtime, action: InboundAction, raw: bytes) -> str:
    now = runtime.now()
    match action:
        case UnsubscribeByEmail(public_id, delivery_id, newsletter_id):
            left = unsubscribe(
                session, runtime.tokens, public_id, delivery_id, now, "mail", newsletter_id=newsletter_id
            )
            # A subscriber who is erased, or belongs to another database, gets no email either.
            return "left" if not isinstance(left, LinkFault) and left.ended else "gone"
        case LinkRequestByEmail(address):
            _spend(session, "intake:asked", ASKED_BY_MAIL, now)
            request_link(session, address, now)
            return "asked"
        case ForOwner(role):
            if not forward_to_owner(session, runtime.settings.owner_address, role, raw, now):
                return "owner"  # the same message again
            _spend(session, f"intake:owner:{now:%Y-%m-%d}", _DAY, now)
            return "owner"
        case Returned(recipients):
            return receive(session, runtime.tokens, signing_keys(runtime), raw, recipients, now).value
        case NothingToDo(reason):
            return reason


def _spend(session: Session, key: str, limit: Limit, now: datetime) -> None:
    wait_seconds = spend(session, key, limit, now)
    if wait_seconds:
        raise LimitReached("Too many messages of this kind arrived. Try again later.", wait_seconds)
