"""Rate limits for visitors: one for each IP address, and one for each network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.limits.keys import limit_key, network_of, read_ip
from newsletter.limits.spend import spend_all
from newsletter.throttle import Limit
from newsletter.tokens import Tokens

# Enough for a family or a small office behind one address, and far too little for a script.
VISITOR = Limit(burst=10, period_seconds=600)
NETWORK = Limit(burst=60, period_seconds=600)


@dataclass(frozen=True)
class Visit:
    """The seconds to wait (0.0: admitted), and how many forms the visitor's network sent shortly before."""

    wait_seconds: float
    nth: int = 0


def count_visit(session: Session, tokens: Tokens, ip_address: str, now: datetime) -> Visit:
    """Count one form of this visitor and of their network. A refused form is not counted."""
    visitor, network = read_ip(ip_address), network_of(ip_address)
    if visitor is None or network is None:
        return Visit(0.0)
    network_key = limit_key(tokens, "network", network)
    limits = {limit_key(tokens, "visitor", str(visitor)): VISITOR, network_key: NETWORK}
    spent = spend_all(session, limits, now)
    if spent.wait_seconds:
        return Visit(spent.wait_seconds)
    return Visit(0.0, round(NETWORK.burst - 1 - spent.left[network_key]))


def visitor_wait(session: Session, tokens: Tokens, ip_address: str, now: datetime) -> float:
    """Count one form of this visitor as `count_visit` does; return the seconds to wait, or 0.0."""
    return count_visit(session, tokens, ip_address, now).wait_seconds
