"""Parsers for URLs and network places: origins, pages, listeners, networks, database, broker. Pure."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from newsletter.settings.parse.common import (
    NAME,
    PERCENT_ENCODE,
    domain_in_ascii,
    host_and_port,
    is_loopback,
    split_authority,
    split_list,
)
from newsletter.settings.values import Listener


def parse_origin(value: str) -> str:
    """Return scheme, host and port as a browser writes them in the Origin header (RFC 6454, section 6.2)."""
    parts = urlsplit(value)
    host = (parts.hostname or "").encode("idna").decode()
    loopback = parts.scheme == "http" and is_loopback(host)
    if (
        not (NAME.fullmatch(host) or loopback)
        or not (parts.scheme == "https" or loopback)
        or "@" in parts.netloc
    ):
        raise ValueError(f"has {value}, which is not an origin such as https://www.example.org")
    port = f":{parts.port}" if parts.port and parts.port != {"https": 443, "http": 80}[parts.scheme] else ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def parse_origins(value: str) -> tuple[str, ...]:
    found = []
    for part in split_list(value):
        if urlsplit(part).path.strip("/") or "?" in part or "#" in part:
            raise ValueError(f"has {part}, which is a page; an origin is only https:// and a host name")
        found.append(parse_origin(part))
    return tuple(dict.fromkeys(found))


def parse_pages(value: str) -> tuple[str, ...]:
    for part in split_list(value):
        parse_origin(part)
        if not part.isascii() or any(char.isspace() or char in "\\<>\"';" for char in part):
            raise ValueError(
                f"has {part}, which is not a URL as browsers write it (beyond ASCII as xn--, %..)"
            )
    return tuple(split_list(value))


def parse_listeners(value: str) -> tuple[Listener, ...]:
    found = []
    for part in split_list(value):
        protocol, colon, place = part.partition("://")
        if not colon or protocol.lower() not in {"smtp", "lmtp"}:
            raise ValueError("is not smtp://host:port or lmtp://host:port, such as lmtp://127.0.0.1:8024")
        found.append(Listener(protocol.lower(), *parse_bind(place)))
    return tuple(found)


def parse_database_url(value: str) -> str:
    scheme, _, rest = value.strip().partition("://")
    if scheme == "sqlite" and rest in {"/", "/:memory:"}:
        raise ValueError("names no file; write it as sqlite:////var/lib/newsletter/newsletter.sqlite3")
    if not value.strip().startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("is not a URL such as postgresql+psycopg://newsletter@db/newsletter")
    # SQLAlchemy reads every other character of a password as it is.
    if scheme != "sqlite" and rest.partition("?")[0].count("@") > 1:
        raise ValueError("has a second @. If it is a part of the password: @ is %40")
    return value.strip()


BROKER_SCHEMES = ("amqp", "amqps", "redis", "rediss", "redis+socket", "sentinel")


def parse_broker_url(value: str) -> str:
    """Return the URL of a broker, or several with semicolons between them, as Celery reads them."""
    urls = [url.partition("://") for url in value.strip().split(";")]
    if not all(
        scheme in BROKER_SCHEMES and rest and not any(map(str.isspace, rest)) for scheme, _, rest in urls
    ):
        raise ValueError(
            "is not a URL such as redis://queue:6379/0 or amqp://user:password@queue//; "
            "a ; in a password is written as %3B"
        )
    for scheme, _, rest in urls:
        if scheme == "redis+socket":
            continue
        place = split_authority(rest)[0].rpartition("@")[2]
        if place:
            host_and_port(place, "amqp://user:password@queue:5672//")
    return value.strip()


def parse_web_address(value: str) -> str:
    scheme, separator, rest = value.strip().partition("://")
    if not separator or scheme.lower() not in {"http", "https"}:
        raise ValueError("is not a URL such as https://hooks.example.org/newsletter")
    # Unlike in other URLs, an @ may stand in the path.
    found = re.match(r"[^/?#]*", rest)
    authority = found[0] if found else ""
    place = split_authority(authority)[0].rpartition("@")[2]
    try:
        host_and_port(place, "https://hooks.example.org/newsletter")
    except ValueError:
        if "@" in rest[len(authority) :]:
            raise ValueError(PERCENT_ENCODE) from None
        raise
    return value.strip()


def parse_bind(value: str) -> tuple[str, int]:
    host, colon, port = value.strip().rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("is not host:port, such as 127.0.0.1:8000")
    return host.strip("[]"), int(port)


def parse_fetch_allow(value: str) -> tuple[str, ...]:
    """Return networks, addresses and host names, each as it is compared."""
    found = []
    for part in split_list(value):
        try:
            found.append(str(ipaddress.ip_network(part.strip("[]"))))
        except ValueError:
            name = domain_in_ascii(part) if "/" not in part and not part[-1:].isdigit() else None
            if name is None and part.lower() != "localhost":
                raise ValueError(
                    f"has {part}, which is neither a network such as 10.1.0.0/16 nor a host name"
                ) from None
            found.append(name or "localhost")
    return tuple(dict.fromkeys(found))


def parse_networks(value: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())
