"""Parsers for the public URL and the EHLO name. Pure."""

from __future__ import annotations

import re

from newsletter.settings.parse.common import LONGEST_NAME, NAME, domain_in_ascii, ip_of

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(/*)(.*)", re.DOTALL)
_USUAL_PORTS = {"http": 80, "https": 443}


def parse_public_url(value: str) -> str:
    """Return the public URL with scheme and host as browsers write them, without a slash at the end.

    The host becomes lower-case ASCII, and the default port of the scheme is left out.
    """
    found = _URL.fullmatch(value.strip())
    if found is None or found[1].lower() not in _USUAL_PORTS or not found[2]:
        raise ValueError("is not a URL such as https://news.example.org")
    if found[4]:
        raise ValueError("has a path; the service needs a host name of its own, such as news.example.org")
    if "@" in found[2]:
        raise ValueError("has a user name or a password, which every link would show; leave it out")
    scheme, (host, port) = found[1].lower(), _host_and_port(found[2])
    where = "" if port in {None, _USUAL_PORTS[scheme]} else f":{port}"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{where}"


def parse_ehlo_name(value: str) -> str:
    """Return a name for EHLO: a domain, or an address literal (RFC 5321, section 4.1.3)."""
    value = value.strip()
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    return name_for_ehlo(_host(bare.removeprefix("IPv6:")))


def name_for_ehlo(host: str) -> str:
    """Return `host` in the form for EHLO: an IP address becomes a literal such as [192.0.2.7]."""
    ip = ip_of(host)
    if ip is None:
        return host
    return f"[IPv6:{ip}]" if ip.version == 6 else f"[{ip}]"


def _host_and_port(place: str) -> tuple[str, int | None]:
    if place.startswith("["):
        inside, bracket, after = place[1:].partition("]")
        ip = ip_of(inside)
        if not bracket or ip is None or ip.version != 6 or (after and not after.startswith(":")):
            raise ValueError("has an address in [ ] that is not an IPv6 address")
        return str(ip), _port(after[1:])
    host, colon, port = place.rpartition(":")
    return (_host(host), _port(port)) if colon else (_host(port), None)


def _port(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        raise ValueError("has a port that is not a number from 1 to 65535")
    return int(text)


def _host(text: str) -> str:
    """Return a host name or an IP address in the form that links, headers and EHLO share."""
    ip = ip_of(text)
    if ip is not None:
        return str(ip)
    name = text.removesuffix(".")
    ascii_name = name.lower() if name.isascii() else domain_in_ascii(name)
    if ascii_name is None or not NAME.fullmatch(ascii_name) or len(ascii_name) > LONGEST_NAME:
        raise ValueError(
            f"has the host {text!r}, which is not a host name such as news.example.org: "
            "A to Z, digits, hyphens and dots"
        )
    # Browsers read a host whose last part is a number as an IPv4 address (WHATWG URL, section 3.5).
    if ascii_name.rpartition(".")[2].isdigit():
        raise ValueError(f"has the host {text!r}, which is neither a name nor an IPv4 address")
    return ascii_name
