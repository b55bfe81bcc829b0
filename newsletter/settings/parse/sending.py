"""Parsers for how emails are sent: domain limits, sending window, list addresses. Pure."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from newsletter.settings.parse.common import (
    NAME,
    domain_in_ascii,
    parse_address,
    parse_rate,
    split_list,
)
from newsletter.settings.values import DomainKey, SendingWindow, Span, WarmUp

# A local part has at most 64 octets (RFC 5321). The token of an unsubscribe address (mail/verp.py) takes 41.
LONGEST_LEAVE_MAILBOX = 23


def parse_leave_mailbox(value: str) -> str:
    address = parse_address(value)
    if len(address.rpartition("@")[0]) > LONGEST_LEAVE_MAILBOX:
        raise ValueError(
            f"has more than {LONGEST_LEAVE_MAILBOX} characters before the @; no room is left for a token"
        )
    return address


def parse_domain(value: str) -> str:
    if not NAME.fullmatch(value.strip()):
        raise ValueError("is not a domain such as example.org (beyond ASCII as xn--...)")
    return value.strip().lower()


def parse_list_id(value: str) -> str:
    if not NAME.fullmatch(value.strip()) or "." not in value:
        raise ValueError("is not two or more names joined by dots, such as list.news.example.org")
    return value.strip()


_SECONDS = {"s": 1, "m": 60, "h": 3600}


def parse_domain_limits(value: str) -> tuple[tuple[str, float], ...]:
    limits: dict[str, float] = {}
    for part in split_list(value):
        found = re.fullmatch(r"([^\s=/@]+)\s*=\s*([0-9.]+)\s*/\s*([smh])", part)
        if found is None:
            raise ValueError("is not a list such as gmail.com=20/s, *=300/m")
        limits[_mail_domain(found[1])] = parse_rate(found[2]) / _SECONDS[found[3]]
    return tuple(limits.items())


_PLAN = re.compile(
    r"([^\s=/@]+)\s*=\s*([0-9]{4}-[0-9]{2}-[0-9]{2}):([0-9]{1,9})\*([0-9]{1,2}(?:\.[0-9]{1,3})?):([0-9]{1,3})"
)


def parse_warm_up(value: str) -> tuple[tuple[str, WarmUp], ...]:
    plans: dict[str, WarmUp] = {}
    for part in split_list(value):
        found = _PLAN.fullmatch(part)
        if found is None:
            raise ValueError(
                "is not a list such as example.org=2026-12-01:200*1.5:14 (first day, emails, factor, days)"
            )
        try:
            starts = date.fromisoformat(found[2])
        except ValueError:
            raise ValueError(f"has a date that does not exist: {found[2]}") from None
        plan = WarmUp(starts, int(found[3]), float(found[4]), int(found[5]))
        if plan.first < 1 or plan.factor < 1 or not 1 <= plan.days <= 365:
            raise ValueError("needs at least 1 email, a factor of at least 1, and 1 to 365 days")
        plans[_mail_domain(found[1])] = plan
    return tuple(plans.items())


def _mail_domain(name: str) -> str:
    """Return a domain in the form that stored addresses have."""
    found = name if name == "*" else domain_in_ascii(name)
    if found is None:
        raise ValueError(f"names {name}, which is not an email domain")
    return found


def parse_domain_keys(value: str) -> tuple[DomainKey, ...]:
    """Return the keys of a list such as example.com=news:/etc/dkim/example.com.pem, example.net=none."""
    keys: dict[tuple[str, str], DomainKey] = {}
    for part in split_list(value):
        domain, _, key = part.partition("=")
        domain, key = parse_domain(domain), key.strip()
        selector, colon, file = key.partition(":")
        if key != "none" and not (colon and selector.strip() and file.strip()):
            raise ValueError(
                "is not a list such as example.com=news:/etc/newsletter/example.com.pem, with a selector and "
                "a file for each domain"
            )
        if (domain, selector) in keys or (domain, "none") in keys:
            raise ValueError(f"names {domain} twice with the same selector, or with none")
        path = Path(file.strip()).absolute() if colon else None
        keys[domain, selector] = DomainKey(domain, selector.strip() if colon else "", path)
    return tuple(keys.values())


_WEEKDAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
_SPAN = re.compile(r"(?:([a-z]{2})(?:-([a-z]{2}))?\s+)?(\d\d?):(\d\d)-(\d\d?):(\d\d)")


def parse_sending_window(value: str) -> SendingWindow:
    spans, _, last = value.strip().rpartition(" ")
    zone = None
    if not re.fullmatch(r"[0-9:-]+", last):
        try:
            zone = ZoneInfo(last)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"names {last}, which is not an IANA time zone such as Europe/Vilnius") from None
        value = spans
    return SendingWindow(tuple(_span(part) for part in split_list(value.lower())), zone)


def _span(text: str) -> Span:
    found = _SPAN.fullmatch(text)
    if found is None or not {found[1] or "mo", found[2] or "mo"} <= set(_WEEKDAYS):
        raise ValueError("is not a window such as Mo-Fr 08:00-18:00 Europe/Vilnius")
    opens, closes = (int(found[at]) * 60 + int(found[at + 1]) for at in (3, 5))
    if opens >= 24 * 60 or closes > 24 * 60 or int(found[4]) > 59 or int(found[6]) > 59:
        raise ValueError(f"has a time outside 00:00 to 24:00: {text}")
    if closes <= opens:
        closes += 24 * 60  # past midnight; the weekdays are those on which the span opens
    if found[1] is None:
        return Span(frozenset(range(7)), opens, closes)
    first = _WEEKDAYS.index(found[1])
    length = (_WEEKDAYS.index(found[2] or found[1]) - first) % 7
    return Span(frozenset((first + day) % 7 for day in range(length + 1)), opens, closes)
