"""How often one visitor, and one network, may send a form that makes us mail somebody."""

from __future__ import annotations

import ipaddress
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.models import spend
from newsletter.throttle import Limit
from newsletter.tokens import Tokens

# A family or a small office gets through; a script does not get far.
VISITOR = Limit(burst=10, period_seconds=600)
NETWORK = Limit(burst=60, period_seconds=600)


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


def visitor_wait(session: Session, tokens: Tokens, ip_address: str, now: datetime) -> float:
    """Count one form of this visitor; return 0.0, or the seconds to wait when it was one too many.

    The counters are kept under keyed hashes, so they hold no addresses. After a refusal the
    caller rolls back, so that what one limit took before the other refused is given back.
    """
    known = network_of(ip_address)
    if known is None:
        return 0.0
    visitor, network = (tokens.keyed_hash("throttle", part)[:32] for part in known)
    wait_seconds = spend(session, f"visitor:{visitor}", VISITOR, now)
    return wait_seconds or spend(session, f"network:{network}", NETWORK, now)
