"""Parsers and checks that several settings share. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from email_validator import EmailNotValidError, validate_email

# A host name as DNS and email headers allow it, localhost included.
NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
LONGEST_NAME = 253
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]{2,45}\]")
_PLACE = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{1,5})?)?")
PERCENT_ENCODE = (
    "has a character in its user name or password that a URL cannot hold as it is. Percent-encode these: "
    "# as %23, / as %2F, ? as %3F, [ as %5B, ] as %5D, @ as %40, : as %3A, % as %25, a comma as %2C"
)


def parse_address(value: str) -> str:
    """Return an address that is valid in a header and in an envelope."""
    value = value.strip()
    local, at, domain = value.rpartition("@")
    if not (local and at) or any(c.isspace() or c in '<>,;"' for c in value) or not NAME.fullmatch(domain):
        raise ValueError("is not an address such as news@example.org (a domain beyond ASCII as xn--...)")
    if not local.isascii():
        raise ValueError("has characters before the @ that many relays do not accept; use ASCII only")
    return value


def split_authority(rest: str, may_have_at: Callable[[str], bool] = lambda _option: False) -> tuple[str, str]:
    """Split a URL after `://`: return user, password, host and port as one text, and what follows them.

    An unencoded `#`, `/` or `?` in a password ends the first part too early. Then an @ is left in what
    follows. Only options for which `may_have_at` is true may have one. Raises ValueError without any part.
    """
    found = re.match(r"[^/?#]*", rest)
    authority = found[0] if found else ""
    path, question, query = rest[len(authority) :].partition("?")
    options = [part for part in query.split("&") if not may_have_at(part)]
    early_end = "#" in rest or "@" in path or any("@" in part for part in options)
    unreadable = any(not char.isprintable() for char in rest)
    brackets = any(char in "[]" for char in authority.rpartition("@")[0])
    if early_end or unreadable or brackets:
        raise ValueError(PERCENT_ENCODE)
    return authority, f"{path}{question}{query}"


def host_and_port(place: str, example: str) -> tuple[str, int | None]:
    """Return the host and the port, if any, of the part of a URL after the @; `example` is for messages."""
    found = _PLACE.fullmatch(place)
    host = found and (found[1] if found[1].isascii() else domain_in_ascii(found[1]))
    if not found or not host or not _HOST.fullmatch(host):
        raise ValueError(f"has no host and port that can be read, such as {example}")
    port = int(found[2]) if found[2] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError("has a port that is not a number from 1 to 65535")
    return host.strip("[]"), port


def split_list(value: str) -> list[str]:
    """Return the parts between commas, at least one."""
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if not parts:
        raise ValueError("is empty")
    return parts


def parse_rate(value: str) -> float:
    """Return a number above 0."""
    found = float(value) if re.fullmatch(r"\d{1,7}(\.\d{1,6})?", value.strip()) else 0.0
    if found <= 0:
        raise ValueError("is not a number above 0")
    return found


def percent(highest: float) -> Callable[[str], float]:
    """Return a parser of a part of a hundred from 0 to `highest`, such as 0.3 or 2 %."""

    def parse(value: str) -> float:
        try:
            number = float(value.strip().removesuffix("%"))
        except ValueError:
            number = -1.0
        # NaN fails this too.
        if not 0 <= number <= highest:
            raise ValueError(f"is not a number of percent from 0 to {highest:g}")
        return number

    return parse


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from `low` to `high`."""

    def parse(value: str) -> int:
        if not value.strip().isdigit() or not low <= int(value) <= high:
            raise ValueError(f"is not a whole number from {low} to {high}")
        return int(value)

    return parse


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def ip_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return `host` as an IP address, or None when it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def domain_in_ascii(name: str) -> str | None:
    """Return a domain in lower-case ASCII by IDNA 2008, or None if it is not a domain.

    Python's own codec knows only IDNA 2003, which turns straße.example into another domain.
    """
    try:
        found = validate_email(
            f"anybody@{name}", check_deliverability=False, test_environment=True, globally_deliverable=False
        )
    except EmailNotValidError:
        return None
    return found.ascii_domain.lower()
