"""How often one visitor, and one network, may send a form that makes us mail somebody."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.models import spend_all
from newsletter.throttle import Limit
from newsletter.tokens import Tokens

# A family or a small office gets through; a script does not get far.
VISITOR = Limit(burst=10, period_seconds=600)
NETWORK = Limit(burst=60, period_seconds=600)
SITE = Limit(burst=300, period_seconds=600)


def network_of(ip_address: str) -> tuple[str, str] | None:
    """Return the address and its network (/24, or /64 for IPv6) as text, or None when it is no address."""
    try:
        ip = ipaddress.ip_address(ip_address)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    bits = 24 if ip.version == 4 else 64
    # A zone ("fe80::1%eth0") belongs to this machine, not to the visitor.
    plain = ipaddress.ip_address(int(ip)) if ip.version == 4 else ipaddress.IPv6Address(int(ip))
    return str(plain), str(ipaddress.ip_network((int(plain), bits), strict=False))


@dataclass(frozen=True)
class Visit:
    """The seconds to wait (0.0: let in), and how many forms the visitor's network had sent shortly before."""

    wait_seconds: float
    nth: int = 0


def count_visit(session: Session, tokens: Tokens, ip_address: str, now: datetime) -> Visit:
    """Count one form of this visitor, of their network, and of the wider one around an IPv6 network.

    The counters are kept under keyed hashes, so they hold no addresses. A form that is refused
    counts nowhere.
    """
    known = network_of(ip_address)
    if known is None:
        return Visit(0.0)
    visitor, network = (tokens.keyed_hash("throttle", part)[:32] for part in known)
    limits = {f"visitor:{visitor}": VISITOR, f"network:{network}": NETWORK}
    if ":" in known[0]:
        # Whoever has one /64 has sixty-five thousand of them: what is given out is a /48 or a /56.
        site = str(ipaddress.ip_network((known[0], 48), strict=False))
        limits[f"site:{tokens.keyed_hash('throttle', site)[:32]}"] = SITE
    spent = spend_all(session, limits, now)
    if spent.wait_seconds:
        return Visit(spent.wait_seconds)
    return Visit(0.0, round(NETWORK.burst - 1 - spent.left[f"network:{network}"]))


def visitor_wait(session: Session, tokens: Tokens, ip_address: str, now: datetime) -> float:
    """Count one form of this visitor as `count_visit` does; return the seconds to wait, or 0.0."""
    return count_visit(session, tokens, ip_address, now).wait_seconds
