"""Keys of rate limits: keyed hashes of IP addresses, networks and mailboxes.

A key never contains an IP address or an email address, only a keyed hash of it. So a copy of the database
does not show who signed in or signed up. Without the secret key, nobody can check guesses against it.
"""

from __future__ import annotations

import ipaddress

from newsletter.tokens import Tokens

# About what a provider gives one customer. A customer with one IPv6 /64 usually has 65,536 of them, a /48.
IPV4_BITS, IPV6_BITS = 24, 48

# These servers ignore dots: j.o.e is the mailbox joe. Like most servers, they deliver name+anything to name.
_WITHOUT_DOTS = frozenset({"gmail.com", "googlemail.com"})


def limit_key(tokens: Tokens, name: str, *about: str) -> str:
    """Return the key of the limit `name` for `about`: an address, a network, or several of them."""
    return f"{name}:{mark_of(tokens, *about)}"


def mark_of(tokens: Tokens, *about: str) -> str:
    """Return the part of a key that is the keyed hash of `about`."""
    return tokens.keyed_hash("throttle", "|".join(about))[:32]


def network_of(ip_address: str) -> str | None:
    """Return the network that limits count by: the /24 of an IPv4 or the /48 of an IPv6 address.

    Return None if `ip_address` is not an IP address.
    """
    found = read_ip(ip_address)
    if found is None:
        return None
    bits = IPV4_BITS if found.version == 4 else IPV6_BITS
    kind = ipaddress.IPv4Network if found.version == 4 else ipaddress.IPv6Network
    return str(kind((int(found), bits), strict=False))


def mailbox_of(email_key: str) -> str:
    """Return the address of the mailbox that `email_key` most likely reaches. Only for the keys of limits.

    A few servers treat name+anything as another mailbox. Then several people share a limit; that is harmless.
    """
    local, _, domain = email_key.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _WITHOUT_DOTS:
        local, domain = local.replace(".", "") or local, "gmail.com"
    return f"{local}@{domain}"


def read_ip(ip_address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an IP address without a zone, an IPv4-mapped one as IPv4; None if it is not an IP address."""
    try:
        found = ipaddress.ip_address(ip_address)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv4Address):
        return found
    # A zone ("fe80::1%eth0") names an interface of this machine and may have any length.
    return found.ipv4_mapped or ipaddress.IPv6Address(int(found))
