"""Hold sign-up requests when too many emails would go to unconfirmed addresses; release or drop them.

A script can type thousands of other people's addresses into the form (list bombing). Without a limit we would
email each of them. So these emails have limits (confirmation_limits.py). Requests above them wait, and the
owner gets a notice.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from newsletter import notices
from newsletter.audit import record
from newsletter.limits.keys import limit_key
from newsletter.limits.spend import spend, tokens_left
from newsletter.mail.addresses import Address
from newsletter.models import SignupRequest
from newsletter.notices import NoticeKind, settle_quiet
from newsletter.subscribers.signup.confirmation_limits import ConfirmationLimits, Trust, limited_domain
from newsletter.tokens import Tokens

BUCKET = "brake"
# Two bursts with a shorter break between them count as one, so the owner gets one notice.
QUIET = timedelta(hours=6)
HELD = (SignupRequest.resolved_at.is_(None), SignupRequest.held_until.is_not(None))

log = logging.getLogger(__name__)


class Held(Exception):
    """This request must wait until `until`.

    `total_reached`: the limit for all unconfirmed addresses is reached, not only that of a domain.
    """

    def __init__(self, until: datetime, *, total_reached: bool) -> None:
        super().__init__(f"held until {until}")
        self.until = until
        self.total_reached = total_reached


@dataclass
class SignupLimiter:
    """Applies the limits in one pass over waiting requests. It remembers refusals, so a burst is cheap."""

    limits: ConfirmationLimits
    now: datetime
    total_reached: int = 0
    # The lowest reserve that was refused. A request with the same or a higher reserve would be refused too.
    _refused: float | None = None
    _domains: dict[str, tuple[float, int]] = field(default_factory=dict)

    def check(self, request: SignupRequest, address: Address) -> None:
        """Raise Held if an email for this request would surely be refused. Takes no token."""
        if request.trust >= Trust.VOUCHED:
            return
        if self._is_shut(request):
            raise Held(self.now, total_reached=True)
        domain = limited_domain(address.domain)
        if domain in self._domains:
            raise self._held_by(domain)

    def count_email(self, session: Session, tokens: Tokens, request: SignupRequest, address: Address) -> None:
        """Count one email to an unconfirmed address. Raises Held above a limit; the caller rolls back."""
        if request.trust >= Trust.VOUCHED:
            return
        reserve = self._reserve(request)
        if spend(session, BUCKET, self.limits.limit, self.now, reserve):
            self._refused = reserve if self._refused is None else min(self._refused, reserve)
            raise Held(self.now, total_reached=True)
        domain = limited_domain(address.domain)
        limit = self.limits.domain_limit(domain)
        wait_seconds = spend(session, limit_key(tokens, "domain", domain), limit, self.now)
        if wait_seconds:
            self._domains[domain] = (wait_seconds, 0)
            raise self._held_by(domain)

    def hold(self, request: SignupRequest, held: Held) -> None:
        """Make a request wait as `held` says."""
        self.total_reached += held.total_reached
        request.held_until = held.until

    def _held_by(self, domain: str) -> Held:
        # Each request gets another time, so that they are not all retried at once.
        wait_seconds, waiting = self._domains[domain]
        self._domains[domain] = (wait_seconds, waiting + 1)
        spread = waiting / self.limits.domain_limit(domain).rate
        return Held(self.now + timedelta(seconds=wait_seconds + spread), total_reached=False)

    def _reserve(self, request: SignupRequest) -> float:
        return self.limits.reserve(Trust(request.trust), request.nth)

    def _is_shut(self, request: SignupRequest) -> bool:
        return self._refused is not None and self._reserve(request) >= self._refused


def drop_stale(session: Session, limits: ConfirmationLimits, now: datetime) -> int:
    """Drop requests that have waited too long, and their addresses; return how many. Commits nothing."""
    return _drop(session, now, SignupRequest.created_at < now - limits.keep_for)


def tell_owner(session: Session, limiter: SignupLimiter) -> None:
    """Open one notice to the owner for each burst of sign-ups, and an audit entry. Commits nothing."""
    now, limits = limiter.now, limiter.limits
    settle_quiet(session, NoticeKind.SIGNUPS_HELD, now - QUIET, now)
    if not limiter.total_reached:
        return
    held = count_held(session)
    facts = {"held": held, "burst": limits.burst, "per_hour": limits.per_hour}
    hold_hours = round(limits.keep_for.total_seconds() / 3600)
    if not notices.tell_owner(session, NoticeKind.SIGNUPS_HELD, "", now, hold_hours=hold_hours, **facts):
        return
    record(session, "brake", "signup.held", "", now, **facts)
    log.warning("event=signups_held held=%d burst=%d per_hour=%d", held, limits.burst, limits.per_hour)


@dataclass(frozen=True)
class HeldSignups:
    """How many requests wait, since when, and how many emails to unconfirmed addresses are allowed now."""

    held: int
    since: datetime | None
    free: int


def held_signups(session: Session, limits: ConfirmationLimits, now: datetime) -> HeldSignups:
    """Return how many sign-ups wait, and how many emails may still be sent at once."""
    query = select(func.count(), func.min(SignupRequest.created_at)).where(*HELD)
    held, since = session.execute(query).one()
    return HeldSignups(held, since, int(tokens_left(session, BUCKET, limits.limit, now)))


def count_unresolved(session: Session, before: datetime) -> int:
    """Return how many sign-ups made before `before` are neither resolved nor held."""
    unresolved = select(func.count()).where(
        SignupRequest.resolved_at.is_(None),
        SignupRequest.held_until.is_(None),
        SignupRequest.created_at < before,
    )
    return session.scalar(unresolved) or 0


def count_held(session: Session) -> int:
    """Return how many requests wait."""
    return session.scalar(select(func.count()).select_from(SignupRequest).where(*HELD)) or 0


def release_held(session: Session, actor: str, now: datetime) -> int:
    """Exempt every waiting request from the limits, because the owner knows where they come from.

    Return how many. Commits nothing.
    """
    vouch = update(SignupRequest).where(*HELD).values(trust=int(Trust.VOUCHED), held_until=now)
    released = session.connection().execute(vouch).rowcount
    record(session, actor, "signup.released", "", now, count=released)
    return released


def drop_held(session: Session, actor: str, now: datetime) -> int:
    """Drop every waiting request and its address. The owners of these addresses did not ask for it.

    Return how many. Commits nothing.
    """
    dropped = _drop(session, now)
    record(session, actor, "signup.dropped", "", now, count=dropped)
    return dropped


def _drop(session: Session, now: datetime, *which: object) -> int:
    settle = (
        update(SignupRequest)
        .where(*HELD, *which)  # type: ignore[arg-type]
        .values(resolved_at=now, email=None, email_key=None, ip_address=None)
    )
    return session.connection().execute(settle).rowcount
