"""The keys of rate limits: hashes of addresses, networks and mailboxes.

A key never holds an address of any kind. Whatever tells of somebody is in it as a keyed hash, so a copy of
the database does not say who signed in or signed up, and guesses cannot be tried without the secret key.
"""

from __future__ import annotations

import ipaddress

from newsletter.tokens import Tokens

# What one customer is given, near enough: whoever has one /64 of IPv6 has sixty-five thousand of them.
IPV4_BITS, IPV6_BITS = 24, 48

# These deliver name+anything to name, as most servers do, and the first two j.o.e as joe.
_WITHOUT_DOTS = frozenset({"gmail.com", "googlemail.com"})


def limit_key(tokens: Tokens, name: str, *about: str) -> str:
    """Return the key of the limit `name` for what it is about: an address, a network, or several such."""
    return f"{name}:{mark_of(tokens, *about)}"


def mark_of(tokens: Tokens, *about: str) -> str:
    """Return the part of a key that stands for somebody."""
    return tokens.keyed_hash("throttle", "|".join(about))[:32]


def network_of(ip_address: str) -> str | None:
    """Return the network that limits count, /24 of IPv4 or /48 of IPv6; None when it is no address."""
    found = read_ip(ip_address)
    if found is None:
        return None
    bits = IPV4_BITS if found.version == 4 else IPV6_BITS
    return str(ipaddress.ip_network(f"{found}/{bits}", strict=False))


def mailbox_of(email_key: str) -> str:
    """Return the address of the mailbox that `email_key` most likely leads to. For the keys of limits only.

    Where a server does not fold addresses this way, some of its people share a limit, and no more.
    """
    local, _, domain = email_key.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _WITHOUT_DOTS:
        local, domain = local.replace(".", "") or local, "gmail.com"
    return f"{local}@{domain}"


def read_ip(ip_address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(ip_address)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv4Address):
        return found
    # A zone ("fe80::1%eth0") belongs to this machine, not to the visitor.
    return found.ipv4_mapped or ipaddress.IPv6Address(int(found))
