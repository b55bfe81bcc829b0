"""Rate limits for visitors: one for each IP address, and one for each network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.limits.keys import limit_key, network_of, read_ip
from newsletter.limits.spend import spend_in_turn
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


def count_visits(session: Session, tokens: Tokens, ip_addresses: Sequence[str], now: datetime) -> list[Visit]:
    """Count one form for each of these visitors, and for their network. A refused form is not counted."""
    network_keys = [_network_key(tokens, each) for each in ip_addresses]
    requests: list[dict[str, Limit]] = [
        {limit_key(tokens, "visitor", str(read_ip(each))): VISITOR, key: NETWORK} if key else {}
        for each, key in zip(ip_addresses, network_keys, strict=True)
    ]
    spent = spend_in_turn(session, requests, now)
    return [
        Visit(each.wait_seconds)
        if each.wait_seconds or not key
        else Visit(0.0, round(NETWORK.burst - 1 - each.left[key]))
        for each, key in zip(spent, network_keys, strict=True)
    ]


def _network_key(tokens: Tokens, ip_address: str) -> str | None:
    network = network_of(ip_address)
    return None if network is None else limit_key(tokens, "network", network)


def visitor_wait(session: Session, tokens: Tokens, ip_address: str, now: datetime) -> float:
    """Count one form of this visitor as `count_visits` does; return the seconds to wait, or 0.0."""
    return count_visits(session, tokens, [ip_address], now)[0].wait_seconds
