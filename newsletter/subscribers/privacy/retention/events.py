"""Rows about what happened: answered forms, changes of address, IP addresses, marks past their time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from newsletter.models import AddressChange, AddressMark, ConsentEntry, MarkKind, SignupRequest
from newsletter.subscribers.address_marks import DISOWNED_FOR
from newsletter.subscribers.privacy.retention.policy import Policy
from newsletter.tokens import Tokens


def old_requests(policy: Policy) -> Select[Any] | None:
    """Return the ids of forms that were answered long ago, or None when they are kept."""
    if policy.mail_before is None:
        return None
    # The newest row stays: SQLite would give its id to the next one, and a mail is known by it.
    newest = select(func.max(SignupRequest.id)).scalar_subquery()
    return select(SignupRequest.id).where(
        SignupRequest.resolved_at < policy.mail_before, SignupRequest.id < newest
    )


def delete_requests(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """Delete these forms. Commits nothing."""
    return session.connection().execute(delete(SignupRequest).where(SignupRequest.id.in_(ids))).rowcount


def old_moves(policy: Policy) -> Select[Any] | None:
    """Return the ids of changes of address that were settled long ago, or None when they are kept."""
    if policy.mail_before is None:
        return None
    # As above: links name them by their ids.
    newest = select(func.max(AddressChange.id)).scalar_subquery()
    return select(AddressChange.id).where(
        AddressChange.settled_at < policy.mail_before, AddressChange.id < newest
    )


def delete_moves(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """Delete these changes of address. Commits nothing."""
    return session.connection().execute(delete(AddressChange).where(AddressChange.id.in_(ids))).rowcount


def old_ips(policy: Policy) -> Select[Any] | None:
    """Return the ids of ledger entries whose IP address has been kept long enough."""
    if policy.ip_before is None:
        return None
    return select(ConsentEntry.id).where(
        ConsentEntry.ip_address.is_not(None), ConsentEntry.at < policy.ip_before
    )


def empty_ips(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """Take the IP addresses out of these entries: the one change that the ledger allows. Commits nothing."""
    emptied = update(ConsentEntry).where(ConsentEntry.id.in_(ids)).values(ip_address=None)
    return session.connection().execute(emptied).rowcount


def old_marks(policy: Policy) -> Select[Any]:
    """Return the ids of marks of disowned addresses that count no longer."""
    return select(AddressMark.id).where(
        AddressMark.kind == MarkKind.DISOWNED, AddressMark.since < policy.now - DISOWNED_FOR
    )


def delete_marks(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """Delete these marks, unless they began anew. Commits nothing."""
    old = delete(AddressMark).where(AddressMark.id.in_(ids), AddressMark.id.in_(old_marks(policy)))
    return session.connection().execute(old).rowcount
