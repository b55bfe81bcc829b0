"""Signing in, in three steps, so that no transaction is open while a password is hashed.

`begin_try` counts the try and finds whom it is for, `check_password` takes its tenth of a second
outside any transaction, `finish_try` writes what came of it.
"""

from __future__ import annotations

import enum
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.accounts.create import account_key, find_account, one_time_is_over
from newsletter.audit import record
from newsletter.errors import AddressInvalid
from newsletter.limits.keys import limit_key, network_of
from newsletter.models import AdminUser, ThrottleBucket, spend_all
from newsletter.throttle import Limit
from newsletter.tokens import Tokens

# Tight for one network that tries one account; a person who mistypes has five tries at once,
# and one more every three minutes.
PAIR = Limit(5, 15 * 60)
# One network, whatever accounts it tries.
NETWORK = Limit(30, 15 * 60)
# One account, from wherever: loose, since whoever empties it keeps its owner out as well. A browser
# that has signed in before is counted by itself (below), so a siege does not lock its owner out.
ACCOUNT = Limit(100, 60 * 60)


@dataclass(frozen=True)
class Candidate:
    """What one try is for: plain values, since the transaction that read them has ended."""

    email: str
    public_id: str | None
    password_hash: str | None
    pair_key: str


@dataclass(frozen=True)
class TooMany:
    """The try is refused; another may be made after `wait_seconds`."""

    wait_seconds: float


class Refused(enum.Enum):
    """Why a try that was counted lets nobody in."""

    WRONG = "wrong"
    # The password was right, and one-time, and too old.
    EXPIRED = "expired"


def is_known_browser(session: Session, email: str, device: str | None, tokens: Tokens) -> bool:
    """Return whether this browser has signed in to this account before. Reads only."""
    user = find_account(session, email) if device is not None else None
    return user is not None and device is not None and knows_device(tokens, user, device)


def begin_try(
    session: Session, email: str, ip_address: str, device: str | None, tokens: Tokens, now: datetime
) -> Candidate | TooMany:
    """Count one try and return whom it is for, or TooMany, which counts nowhere. The caller commits.

    `device` is what `device_mark` gave this browser when it signed in before. The same limits
    hold for accounts that are not there.
    """
    try:
        key = account_key(email)
    except AddressInvalid:
        key = ""
    user = session.scalars(select(AdminUser).where(AdminUser.email == key)).one_or_none()
    if device is not None and user is not None and knows_device(tokens, user, device):
        pair_key = limit_key(tokens, "signin:device", device)
        limits = {pair_key: PAIR}
    else:
        network = network_of(ip_address) or "unknown"
        pair_key = limit_key(tokens, "signin:pair", key, network)
        limits = {
            pair_key: PAIR,
            limit_key(tokens, "signin:network", network): NETWORK,
            limit_key(tokens, "signin:account", key): ACCOUNT,
        }
    wait_seconds = spend_all(session, limits, now).wait_seconds
    if wait_seconds:
        return TooMany(wait_seconds)
    if user is None:
        return Candidate(key, None, None, pair_key)
    return Candidate(key, user.public_id, user.password_hash, pair_key)


def finish_try(
    session: Session,
    candidate: Candidate,
    fits: bool,
    renewed_hash: str | None,
    now: datetime,
    *,
    signing_in: bool = True,
) -> AdminUser | Refused:
    """Write down what came of a try; return the account when the password let them in. Commits nothing.

    `signing_in` is false for somebody who is signed in and proves once more who they are.
    A password changed between the two transactions is honoured: the old one no longer fits.
    """
    user = None
    if candidate.public_id is not None:
        chosen = select(AdminUser).where(AdminUser.public_id == candidate.public_id)
        user = session.scalars(chosen).one_or_none()
    if user is None or not fits or user.password_hash != candidate.password_hash:
        # No address: whoever mistypes may have typed something that is nobody's business.
        record(session, "", "account.sign_in_failed", candidate.public_id or "unknown", now)
        return Refused.WRONG
    if one_time_is_over(user, now):
        record(session, "", "account.one_time_expired", user.public_id, now)
        return Refused.EXPIRED
    if renewed_hash is not None:
        user.password_hash = renewed_hash
    session.execute(delete(ThrottleBucket).where(ThrottleBucket.key == candidate.pair_key))
    if signing_in:
        user.signed_in_at = now
        record(session, user.email, "account.signed_in", user.public_id, now)
    return user


def device_mark(tokens: Tokens, user: AdminUser) -> str:
    """Return a mark for the browser that signed in: it proves nothing but that it did so once."""
    nonce = secrets.token_urlsafe(12)
    return f"{nonce}.{_device_hash(tokens, user, nonce)}"


def knows_device(tokens: Tokens, user: AdminUser, mark: str) -> bool:
    """Return whether `mark` was given to a browser of this account, under its present password."""
    nonce, _, seal = mark.partition(".")
    return secrets.compare_digest(seal.encode(), _device_hash(tokens, user, nonce).encode())


def _device_hash(tokens: Tokens, user: AdminUser, nonce: str) -> str:
    # The password's hash is in it, so whoever changes the password ends the marks of old browsers.
    return tokens.keyed_hash("device", f"{user.public_id}:{user.password_hash}:{nonce}")[:40]
