"""Store a sign-up form as one request row, without any database lookup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

from newsletter.mail.addresses import Address
from newsletter.models import (
    FIRST_NEWSLETTER,
    Frequency,
    SignupRequest,
)
from newsletter.subscribers.consent.wording import Wording
from newsletter.subscribers.signup.confirmation_limits import Trust


@dataclass(frozen=True, kw_only=True)
class Signup:
    """The contents of one sign-up form. `ip_address` may be shortened or None (consent/ledger.py)."""

    address: Address
    choices: Mapping[str, Frequency]
    wording: Wording
    newsletter_id: int = FIRST_NEWSLETTER
    ip_address: str | None = None
    language: str = "en"
    time_zone: str = "UTC"
    how: str = "form"
    # How likely it comes from a person, and how many forms its network sent before (confirmation_limits.py).
    trust: Trust = Trust.NONE
    nth: int = 0


def request_signups(session: Session, signups: Sequence[Signup], now: datetime) -> None:
    """Insert one row for each sign-up. There is no lookup, so known and new addresses take the same time."""
    if signups:
        # A plain INSERT is faster than the ORM here, and many visitors may wait for this statement at once.
        table = cast("Table", SignupRequest.__table__)
        session.connection().execute(insert(table), [_row(signup, now) for signup in signups])


def _row(signup: Signup, now: datetime) -> dict[str, Any]:
    return {
        "newsletter_id": signup.newsletter_id,
        "kind": "signup",
        "email": signup.address.text,
        "email_key": signup.address.canonical,
        "choices": {
            "topics": {slug: frequency.value for slug, frequency in signup.choices.items()},
            "language": signup.language,
            "time_zone": signup.time_zone,
            "how": signup.how,
        },
        "wording_version": signup.wording.version,
        "wording_hash": signup.wording.hash,
        "ip_address": signup.ip_address,
        "trust": int(signup.trust),
        "nth": signup.nth,
        "created_at": now,
    }


def request_link(session: Session, address: Address, now: datetime) -> None:
    """Store a request for an email with the link to the preferences."""
    _request(session, "link", address, now)


def request_renewal(session: Session, address: Address, now: datetime) -> None:
    """Store a request for a new confirmation link after the old one expired."""
    _request(session, "renew", address, now)


def _request(session: Session, kind: str, address: Address, now: datetime) -> None:
    session.add(SignupRequest(kind=kind, email=address.text, email_key=address.canonical, created_at=now))
