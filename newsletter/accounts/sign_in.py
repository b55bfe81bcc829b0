"""Sign in to an account in three steps, so that no transaction is open while a password is hashed.

`begin_try` counts the try and finds the account. `check_password` takes about 0.1 s, outside any transaction.
`finish_try` writes the result.
"""

from __future__ import annotations

import enum
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.accounts.create import account_key, find_account, one_time_is_over
from newsletter.audit import record
from newsletter.errors import AddressInvalid
from newsletter.limits.keys import limit_key, network_of
from newsletter.limits.spend import refill, spend_all
from newsletter.models import AdminUser
from newsletter.throttle import Limit
from newsletter.tokens import Tokens

# Tries of one network at one account. A person who mistypes has five tries, and one more every three minutes.
PAIR = Limit(5, 15 * 60)
# Tries of one network at all accounts together.
NETWORK = Limit(30, 15 * 60)
# Tries of all networks at one account. This limit is high, because an attacker who reaches it locks the owner
# out too. A browser that has signed in before has a limit of its own (`begin_try`), so it stays usable.
ACCOUNT = Limit(100, 60 * 60)


@dataclass(frozen=True)
class Candidate:
    """The account that a try is for, as plain values: the transaction that read them has ended."""

    email: str
    public_id: str | None
    password_hash: str | None
    pair_key: str


@dataclass(frozen=True)
class TooMany:
    """The try is refused by a rate limit; a retry after `wait_seconds` is allowed."""

    wait_seconds: float


class Refused(enum.Enum):
    """Why a counted try failed."""

    WRONG = "wrong"
    # The right one-time password, but it has expired.
    EXPIRED = "expired"


def is_known_browser(session: Session, email: str, device: str | None, tokens: Tokens) -> bool:
    """Return whether this browser has signed in to this account before. Reads only."""
    user = find_account(session, email) if device is not None else None
    return user is not None and device is not None and knows_device(tokens, user, device)


def begin_try(
    session: Session, email: str, ip_address: str, device: str | None, tokens: Tokens, now: datetime
) -> Candidate | TooMany:
    """Count one try and return its account, or return TooMany without counting it. The caller commits.

    `device` is the mark that this browser got from `device_mark` at an earlier sign-in. Names without an
    account have the same limits.
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
    """Write the result of a try to the audit log; return the account if it succeeded. Commits nothing.

    `signing_in` is false if the person is signed in already and only types the password again. If the
    password was changed between the two transactions, the try fails.
    """
    user = None
    if candidate.public_id is not None:
        chosen = select(AdminUser).where(AdminUser.public_id == candidate.public_id)
        user = session.scalars(chosen).one_or_none()
    if user is None or not fits or user.password_hash != candidate.password_hash:
        # The typed name is not stored: it may be a mistyped secret, such as the password itself.
        record(session, "", "account.sign_in_failed", candidate.public_id or "unknown", now)
        return Refused.WRONG
    if one_time_is_over(user, now):
        record(session, "", "account.one_time_expired", user.public_id, now)
        return Refused.EXPIRED
    if renewed_hash is not None:
        user.password_hash = renewed_hash
    refill(session, candidate.pair_key)
    if signing_in:
        user.signed_in_at = now
        record(session, user.email, "account.signed_in", user.public_id, now)
    return user


def device_mark(tokens: Tokens, user: AdminUser) -> str:
    """Return a mark for the browser that signed in. It only proves that this browser did so once."""
    nonce = secrets.token_urlsafe(12)
    return f"{nonce}.{_device_hash(tokens, user, nonce)}"


def knows_device(tokens: Tokens, user: AdminUser, mark: str) -> bool:
    """Return whether `mark` was given to a browser of this account, with its present password."""
    nonce, _, seal = mark.partition(".")
    return secrets.compare_digest(seal.encode(), _device_hash(tokens, user, nonce).encode())


def _device_hash(tokens: Tokens, user: AdminUser, nonce: str) -> str:
    # The hash covers the password's hash, so a new password makes the marks of all browsers invalid.
    return tokens.keyed_hash("device", f"{user.public_id}:{user.password_hash}:{nonce}")[:40]
