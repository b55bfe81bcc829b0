"""Parse the URL of a relay. Error messages show no part of the URL, because it holds a password. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from newsletter.settings.parse.common import (
    host_and_port,
    is_loopback,
    parse_address,
    parse_rate,
    split_authority,
    split_list,
    whole_number,
)
from newsletter.settings.values import Relay, RelaySecurity

_EXAMPLE = "smtp://user:password@relay.example.org:587"
# Only X- names, so that this header is never mistaken for a standard one.
_HEADER_NAME = re.compile(r"[Xx]-[A-Za-z0-9-]{1,60}")


def parse_relay(value: str) -> Relay:
    """Return the relay of a URL."""
    scheme, separator, rest = value.strip().partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in {"smtp", "smtps"}:
        raise ValueError(f"is not a URL such as {_EXAMPLE}")
    authority, query = _take_apart(rest)
    userinfo, at, place = authority.rpartition("@")
    username, colon, password = userinfo.partition(":")
    host, port = host_and_port(place, _EXAMPLE)
    options = parse_options(query, _OPTIONS)
    tls = options.pop("tls", "")
    if scheme == "smtps":
        security = RelaySecurity.TLS
    elif tls == "none" or (not tls and is_loopback(host)):
        security = RelaySecurity.NONE
    else:
        security = RelaySecurity.STARTTLS
    if at and not username:
        raise ValueError("has a password but no user name")
    return Relay(
        host,
        port or (465 if security is RelaySecurity.TLS else 587),
        security,
        unquote(username) if username else None,
        unquote(password) if colon and password else None,
        **options,
    )


def parse_relays(value: str) -> tuple[tuple[str, Relay], ...]:
    """Return the relays of a list such as example.org=smtp://relay.example.org, by address or domain."""
    chosen: dict[str, Relay] = {}
    for part in split_list(value):
        sender, equals, url = part.partition("=")
        sender = sender.strip().lower()
        if not equals or not sender or "/" in sender:
            raise ValueError(
                "is not a list such as example.org=smtp://relay.example.org; "
                "a comma in a password is written as %2C"
            )
        if sender in chosen:
            raise ValueError("names one sender twice")
        chosen[sender] = parse_relay(url)
    return tuple(chosen.items())


def _take_apart(rest: str) -> tuple[str, str]:
    """Split the URL after `://`: return user, password, host and port as one text, and the options."""
    authority, more = split_authority(rest, lambda option: option.startswith("return_path="))
    path, _, query = more.partition("?")
    if not authority:
        raise ValueError(f"is not a URL such as {_EXAMPLE}")
    if path.strip("/"):
        raise ValueError("has a path, which a relay does not have. If it is a part of the password: / is %2F")
    return authority, query


def _tls(value: str) -> str:
    if value not in {"", "none", "starttls"}:
        raise ValueError("is neither starttls nor none")
    return value


def _token_header(value: str) -> str:
    if not _HEADER_NAME.fullmatch(value):
        raise ValueError("is not a name that begins with X-, such as X-Newsletter-Token")
    return value


_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "tls": _tls,
    "max_connections": whole_number(1, 1000),
    "per_second": parse_rate,
    "per_hour": whole_number(1, 10**9),
    "per_day": whole_number(1, 10**9),
    "return_path": parse_address,
    "token_header": _token_header,
}


def parse_options(
    query: str, parsers: Mapping[str, Callable[[str], Any]], decode: Callable[[str], str] = unquote
) -> dict[str, Any]:
    """Return the options of a URL, each read by its parser. Raises ValueError, which shows no value."""
    options: dict[str, Any] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name not in parsers:
            meant = difflib.get_close_matches(name, parsers, n=1)
            hint = f"did you mean {meant[0]}?" if meant else "a ? in a password is written as %3F"
            raise ValueError(f"has an option that is none of {', '.join(parsers)}; {hint}")
        try:
            options[name] = parsers[name](decode(value))
        except ValueError as fault:
            raise ValueError(f"has an option that cannot be read: {name} {fault}") from None
    return options
