"""Create, find and list accounts; set one-time and permanent passwords; end sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.audit import record
from newsletter.errors import AddressInvalid, NotFound, StateConflict
from newsletter.mail.addresses import LONGEST_ADDRESS, canonical
from newsletter.models import AdminUser
from newsletter.models.base import new_public_id

# A one-time password expires, because until its use it may be readable in a terminal, an email or on paper.
ONE_TIME = timedelta(hours=72)


def one_time_is_over(user: AdminUser, now: datetime) -> bool:
    """Return whether the account has a one-time password that has expired."""
    return user.must_change and user.one_time_until is not None and now >= user.one_time_until


def account_key(email: str) -> str:
    """Return an account's name as it is stored and compared. Raises AddressInvalid.

    The check is laxer than for a subscriber's address: we never email it, so `admin@localhost` is allowed.
    """
    email = email.strip()
    local, at, domain = email.rpartition("@")
    odd = not email.isprintable() or any(char.isspace() or char in "<>,;" for char in email)
    if not (local and at and domain) or odd or len(email) > LONGEST_ADDRESS:
        raise AddressInvalid("An account's name is an email address, such as name@example.org.")
    return canonical(email)


def find_account(session: Session, email: str) -> AdminUser | None:
    """Return the account with that address, in upper or lower case, or None."""
    try:
        key = account_key(email)
    except AddressInvalid:
        return None
    return session.scalars(select(AdminUser).where(AdminUser.email == key)).one_or_none()


def find_by_public_id(session: Session, public_id: str) -> AdminUser | None:
    """Return the account with this public id, if any."""
    return session.scalars(select(AdminUser).where(AdminUser.public_id == public_id)).one_or_none()


def list_accounts(session: Session) -> Sequence[AdminUser]:
    """Return every account, ordered by address."""
    return session.scalars(select(AdminUser).order_by(AdminUser.email)).all()


def create_account(session: Session, email: str, password_hash: str, actor: str, now: datetime) -> AdminUser:
    """Add an account whose owner must change this password at the first sign-in.

    The caller makes the hash, outside the transaction. Raises AddressInvalid, and StateConflict if there is
    an account with this address. Commits nothing.
    """
    key = account_key(email)
    if find_account(session, key) is not None:
        raise StateConflict(f"There is already an account for {key}.")
    user = AdminUser(
        email=key,
        password_hash=password_hash,
        must_change=True,
        one_time_until=now + ONE_TIME,
        created_at=now,
    )
    session.add(user)
    session.flush()
    record(session, actor, "account.created", user.public_id, now)
    return user


def reset_password(session: Session, email: str, password_hash: str, actor: str, now: datetime) -> AdminUser:
    """Give an account a new one-time password and end its sessions. Raises NotFound. Commits nothing."""
    user = find_account(session, email)
    if user is None:
        raise NotFound(f"There is no account for {email}.")
    user.password_hash = password_hash
    user.must_change = True
    user.one_time_until = now + ONE_TIME
    user.session_key = new_public_id()
    record(session, actor, "account.password_reset", user.public_id, now)
    return user


def change_password(session: Session, public_id: str, password_hash: str, now: datetime) -> AdminUser:
    """Store the password that the account's owner chose, and end their other sessions. Raises NotFound.

    The caller signs the present session in again. Commits nothing.
    """
    user = find_by_public_id(session, public_id)
    if user is None:
        raise NotFound("This account no longer exists.")
    user.password_hash = password_hash
    user.must_change = False
    user.one_time_until = None
    user.session_key = new_public_id()
    record(session, user.email, "account.password_changed", user.public_id, now)
    return user


def end_sessions(session: Session, public_id: str, now: datetime) -> None:
    """Sign an account out in every browser: a new session key makes old cookies invalid. Commits nothing."""
    user = find_by_public_id(session, public_id)
    if user is not None:
        user.session_key = new_public_id()
        record(session, user.email, "account.signed_out", user.public_id, now)
