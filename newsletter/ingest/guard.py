"""Which URLs and addresses we fetch from: public ones, and those that the settings allow. Pure.

A feed or a redirect can name any URL. Without this guard, it could make this host send requests to machines
that only it can reach (SSRF). Such a machine is a database, or the metadata service of a cloud.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx2

from newsletter.errors import FetchRefused

Network = IPv4Network | IPv6Network

LONGEST_URL = 2_000
DEFAULT_PORTS = {"http": 80, "https": 443}
# Ports below this belong to services that are not web servers, such as mail and file sharing.
FIRST_FREE_PORT = 1024

# IANA's special-purpose registries. Python's own tables differ from one version to the next.
_CLOSED_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
# Only 2000::/3 is given out to public networks. These parts of it are not.
_PUBLIC_6 = IPv6Network("2000::/3")
_CLOSED_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
_MAPPED = IPv6Network("::ffff:0:0/96")
# Networks whose addresses contain an IPv4 address, and how many bits follow it.
_CARRIERS = (("NAT64", IPv6Network("64:ff9b::/96"), 0), ("6to4", IPv6Network("2002::/16"), 80))

# The last label of a host that browsers and C libraries read as an IPv4 address in an odd notation.
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|\d+)", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029]")


@dataclass(frozen=True)
class Allowed:
    """Networks and host names of an intranet that may be fetched although they are not public."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, entries: Sequence[str]) -> Allowed:
        """Return the list made of networks (10.1.0.0/16), addresses and host names."""
        networks: list[Network] = []
        hosts: set[str] = set()
        for entry in entries:
            try:
                networks.append(ip_network(entry, strict=False))
            except ValueError:
                hosts.add(entry.lower().rstrip("."))
        return cls(tuple(networks), frozenset(hosts))

    def has_address(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether an address is in one of the networks."""
        return any(address in network for network in self.networks if network.version == address.version)


@dataclass(frozen=True)
class Target:
    """A URL that passed the checks that need no DNS."""

    url: httpx2.URL
    scheme: str
    host: str  # in ASCII, in lower case, without brackets
    port: int
    allowed_host: bool

    @property
    def text(self) -> str:
        """The URL without its fragment."""
        return str(self.url)


def check_url(url: str, allowed: Allowed) -> Target:
    """Return where a URL leads. Raises FetchRefused for what is never fetched, whatever DNS says."""
    if len(url) > LONGEST_URL or _UNSAFE.search(url):
        raise FetchRefused(url, "it is not a URL: it is too long, or has spaces or control characters")
    try:
        parsed = httpx2.URL(url).copy_with(fragment=None)
        host = parsed.raw_host.decode("ascii").lower().rstrip(".")
        port = parsed.port or DEFAULT_PORTS.get(parsed.scheme, 0)
    except (httpx2.InvalidURL, UnicodeError, ValueError):
        raise FetchRefused(url, "it is not a valid URL") from None
    if parsed.scheme not in DEFAULT_PORTS:
        raise FetchRefused(url, "only http:// and https:// are fetched")
    if parsed.userinfo:
        raise FetchRefused(url, "a URL with a user name or a password is not fetched")
    if not host:
        raise FetchRefused(url, "it has no host")
    allowed_host = host in allowed.hosts
    literal = _literal(host)
    if literal is None and _is_odd(host):
        raise FetchRefused(url, f"{host} is an address in an unusual notation")
    if literal is not None and not allowed_host:
        check_address(literal, url, allowed)
    if not _is_port_open(port) and not (
        allowed_host or (literal is not None and allowed.has_address(literal))
    ):
        raise FetchRefused(url, f"port {port} is not a port of a web server")
    return Target(parsed, parsed.scheme, host, port, allowed_host)


def check_address(address: IPv4Address | IPv6Address, url: str, allowed: Allowed) -> None:
    """Raise FetchRefused unless the address of a URL is public or in an allowed network."""
    if allowed.has_address(address):
        return
    reason = closed_reason(address)
    if reason:
        raise FetchRefused(url, f"its address {address} is {reason}")


def closed_reason(address: IPv4Address | IPv6Address) -> str:
    """Return what makes an address one that is not public, or "" if it is public."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return "an address of one network interface"
        for name, network, shift in _CARRIERS:
            if address in network:
                inner = closed_reason(IPv4Address((int(address) >> shift) & 0xFFFFFFFF))
                return f"a {name} address whose IPv4 address is {inner}" if inner else ""
    return next((reason for holds, reason in _REASONS if holds(address)), "")


def _is_reserved(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in each for each in _CLOSED_4)
    return address not in _PUBLIC_6 or any(address in each for each in _CLOSED_6)


_REASONS: tuple[tuple[Callable[[IPv4Address | IPv6Address], bool], str], ...] = (
    (lambda address: address.version == 6 and address in _MAPPED, "an IPv4 address written as IPv6"),
    (lambda address: address.is_unspecified, "unspecified"),
    (lambda address: address.is_loopback, "this machine (loopback)"),
    (lambda address: address.is_link_local, "link-local"),
    (lambda address: address.is_multicast, "multicast"),
    (_is_reserved, "private or reserved"),
)


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_odd(host: str) -> bool:
    """Whether a host's last label is a number, as in 127.1, 0x7f.1 and 2130706433 (WHATWG URL, 3.5)."""
    return ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def _is_port_open(port: int) -> bool:
    return port in DEFAULT_PORTS.values() or port >= FIRST_FREE_PORT
