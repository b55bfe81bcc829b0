"""Retention of events: resolved forms, settled changes of address, IP addresses, old address marks."""

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
    """Return the ids of forms that were resolved long ago, or None if they are kept forever."""
    if policy.mail_before is None:
        return None
    # The newest row stays. SQLite would reuse its id, and the id is part of an email's `purpose_key`.
    newest = select(func.max(SignupRequest.id)).scalar_subquery()
    return select(SignupRequest.id).where(
        SignupRequest.resolved_at < policy.mail_before, SignupRequest.id < newest
    )


def delete_requests(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """Delete these forms. Commits nothing."""
    return session.connection().execute(delete(SignupRequest).where(SignupRequest.id.in_(ids))).rowcount


def old_moves(policy: Policy) -> Select[Any] | None:
    """Return the ids of changes of address settled long ago, or None if they are kept forever."""
    if policy.mail_before is None:
        return None
    # The newest row stays here too, because links contain the id.
    newest = select(func.max(AddressChange.id)).scalar_subquery()
    return select(AddressChange.id).where(
        AddressChange.settled_at < policy.mail_before, AddressChange.id < newest
    )


def delete_moves(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """Delete these changes of address. Commits nothing."""
    return session.connection().execute(delete(AddressChange).where(AddressChange.id.in_(ids))).rowcount


def old_ips(policy: Policy) -> Select[Any] | None:
    """Return the ids of old ledger entries with an IP address, or None if they are kept forever."""
    if policy.ip_before is None:
        return None
    return select(ConsentEntry.id).where(
        ConsentEntry.ip_address.is_not(None), ConsentEntry.at < policy.ip_before
    )


def empty_ips(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """Remove the IP addresses from these entries; the ledger allows this change. Commits nothing."""
    emptied = update(ConsentEntry).where(ConsentEntry.id.in_(ids)).values(ip_address=None)
    return session.connection().execute(emptied).rowcount


def old_marks(policy: Policy) -> Select[Any]:
    """Return the ids of expired marks of disowned addresses."""
    return select(AddressMark.id).where(
        AddressMark.kind == MarkKind.DISOWNED, AddressMark.since < policy.now - DISOWNED_FOR
    )


def delete_marks(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """Delete these marks, unless they were restarted meanwhile. Commits nothing."""
    old = delete(AddressMark).where(AddressMark.id.in_(ids), AddressMark.id.in_(old_marks(policy)))
    return session.connection().execute(old).rowcount
