"""Ask the DNS whether other servers can send email to a domain (RFC 5321, section 5.1, and RFC 7505)."""

from __future__ import annotations

import dns.exception
import dns.name
import dns.resolver

PATIENCE_SECONDS = 5.0


def why_no_email(domain: str, resolver: dns.resolver.Resolver | None = None) -> str:
    """Return in a sentence why no server can send email to `domain`, or "" if one can.

    If the DNS does not answer, it returns "" too, because then nothing is known.
    """
    try:
        asked = resolver or _own_resolver()
        servers = [each.exchange for each in asked.resolve(domain, "MX")]
        if servers == [dns.name.root]:
            return f"The domain {domain} says that it accepts no email (a null MX record)."
        return ""
    except dns.resolver.NXDOMAIN:
        return f"There is no domain {domain}."
    except dns.resolver.NoAnswer:
        return "" if _has_address(domain, asked) else f"The domain {domain} has no MX record and no address."
    except dns.exception.DNSException:
        return ""


def _own_resolver() -> dns.resolver.Resolver:
    made = dns.resolver.Resolver()
    made.lifetime = PATIENCE_SECONDS
    return made


def _has_address(domain: str, resolver: dns.resolver.Resolver) -> bool:
    """Return whether a domain has an address, which counts as its mail server if it has no MX record."""
    for kind in ("A", "AAAA"):
        try:
            resolver.resolve(domain, kind)
        except dns.resolver.NoAnswer:
            continue
        except dns.exception.DNSException:
            return True  # nothing is known
        return True
    return False
