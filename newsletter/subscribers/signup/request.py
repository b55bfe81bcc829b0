"""A sign-up form writes one request row; the database is not searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

from newsletter.mail.addresses import Address
from newsletter.models import (
    Frequency,
    SignupRequest,
)
from newsletter.subscribers.consent.wording import Wording
from newsletter.subscribers.signup.confirmation_limits import Trust


@dataclass(frozen=True, kw_only=True)
class Signup:
    """What one person asked for. `ip_address` is what may be stored of it (consent/ledger.py)."""

    address: Address
    choices: Mapping[str, Frequency]
    wording: Wording
    ip_address: str | None = None
    language: str = "en"
    time_zone: str = "UTC"
    how: str = "form"
    # What speaks for it, and how many forms came from its network before (see confirmation_limits.py).
    trust: Trust = Trust.NONE
    nth: int = 0


def request_signups(session: Session, signups: Sequence[Signup], now: datetime) -> None:
    """Write down what was asked, and look nothing up: every address costs the same."""
    if signups:
        # Past the session's bookkeeping: this is the statement that many visitors may wait for at once.
        table = cast("Table", SignupRequest.__table__)
        session.connection().execute(insert(table), [_row(signup, now) for signup in signups])


def _row(signup: Signup, now: datetime) -> dict[str, Any]:
    return {
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
    """Write down that somebody wants the link to their choices."""
    _request(session, "link", address, now)


def request_renewal(session: Session, address: Address, now: datetime) -> None:
    """Write down that somebody wants another link in the place of one that ran out."""
    _request(session, "renew", address, now)


def _request(session: Session, kind: str, address: Address, now: datetime) -> None:
    session.add(SignupRequest(kind=kind, email=address.text, email_key=address.canonical, created_at=now))
