"""Apply an incoming message: unsubscribe, send a link, or forward it to the owner."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.bounces.classify import (
    AskByMail,
    ForOwner,
    InboundAction,
    LeaveByMail,
    NothingToDo,
    OwnAddresses,
    read_mail,
)
from newsletter.errors import LimitReached
from newsletter.mail.verp import LEAVE_KEY
from newsletter.models import spend
from newsletter.outbox.owner_email import forward_to_owner
from newsletter.runtime import Runtime
from newsletter.subscribers.leaving.unsubscribe import unsubscribe
from newsletter.subscribers.link import LinkFault
from newsletter.subscribers.signup.request import request_link
from newsletter.throttle import Limit

# A mail is read into memory; what anybody has to tell us is far smaller.
LARGEST_MAIL_BYTES = 10 * 1024 * 1024
# Each address is mailed its link seldom enough (subscribers/signup/resolve.py); this bounds the rows that
# a flood of mails with invented senders can make.
ASKED_BY_MAIL = Limit(burst=60, period_seconds=600)
# Emails to postmaster@ and abuse@ that the owner is sent in one day (UTC): the bucket is new each day.
FOR_OWNER_A_DAY = 20
_DAY = Limit(burst=FOR_OWNER_A_DAY, period_seconds=FOR_OWNER_A_DAY * 365 * 24 * 3600)

log = logging.getLogger(__name__)


def own_addresses(runtime: Runtime) -> OwnAddresses:
    """Return the addresses whose mail is for us."""
    settings = runtime.settings
    domain = settings.return_path_domain or (None if settings.return_path else settings.sender_domain)
    return OwnAddresses(settings.unsubscribe_address, runtime.tokens.derived_key(LEAVE_KEY), domain)


def take_in(
    runtime: Runtime, raw: bytes, recipients: Sequence[str] = (), sender: str | None = None
) -> list[str]:
    """Do what a message is for, and commit.

    Return a word for each thing: left, gone, asked, owner, or why nothing. `recipients` and `sender` are of
    the envelope, if known. Doing it twice changes nothing more. Raises LimitReached when there are too many
    such messages, whoever sent them, and what the database raises; then nothing was done.
    """
    with runtime.session() as session:
        done = [
            _do(session, runtime, action, raw)
            for action in read_mail(raw, own_addresses(runtime), recipients, sender)
        ]
        session.commit()
    log.info("event=mail_taken_in done=%s bytes=%d", ",".join(done), len(raw))
    if {"left", "asked", "owner"} & set(done):
        runtime.wake("single")
    return done


def _do(session: Session, runtime: Runtime, action: InboundAction, raw: bytes) -> str:
    now = runtime.now()
    match action:
        case LeaveByMail(public_id, delivery_id):
            left = unsubscribe(session, runtime.tokens, public_id, delivery_id, now, "mail")
            # Somebody erased, or not of this database any more, gets no mail either.
            return "left" if not isinstance(left, LinkFault) and left.ended else "gone"
        case AskByMail(address):
            _spend(session, "intake:asked", ASKED_BY_MAIL, now)
            request_link(session, address, now)
            return "asked"
        case ForOwner(role):
            if not forward_to_owner(session, runtime.settings.owner_address, role, raw, now):
                return "owner"  # the same message again
            _spend(session, f"intake:owner:{now:%Y-%m-%d}", _DAY, now)
            return "owner"
        case NothingToDo(reason):
            return reason


def _spend(session: Session, key: str, limit: Limit, now: datetime) -> None:
    wait_seconds = spend(session, key, limit, now)
    if wait_seconds:
        raise LimitReached("Too many messages of this kind came; try again later.", wait_seconds)
