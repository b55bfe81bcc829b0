"""The fields of a newsletter that people edit: how each is read from text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from newsletter.identity import Identity
from newsletter.settings.parse.common import parse_address
from newsletter.settings.parse.general import parse_languages

LONGEST_NAME = 120
LONGEST_TEXT = 500

Value = str | tuple[str, ...] | None


@dataclass(frozen=True)
class ContentField:
    """One field: its name for people, and what it is for.

    `parse` reads it from text; it raises ValueError with words that follow the field's name. `show` writes it
    as text. The former setting of the same name filled it. `by_language`: each language has its own.
    """

    label: str
    help: str
    parse: Callable[[str], Value]
    show: Callable[[Identity, str], str]
    by_language: bool = False


def _line(most: int, *, needed: bool = False) -> Callable[[str], Value]:
    """Return a parser of one line of text."""

    def parse(value: str) -> str:
        text = " ".join(value.split())
        if needed and not text:
            raise ValueError("is empty")
        if len(text) > most:
            raise ValueError(f"has {len(text)} characters; at most {most} are allowed")
        if not text.isprintable():
            raise ValueError("has characters that cannot be printed")
        return text

    return parse


def _address(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty")
    return parse_address(value)


def _optional_address(value: str) -> str | None:
    return parse_address(value) if value.strip() else None


def _zone(value: str) -> str:
    name = value.strip()
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not an IANA time zone such as Europe/Vilnius") from None
    return name


# By the name of the column, which is also the name of the former setting. `name` was site_name.
FIELDS: Mapping[str, ContentField] = MappingProxyType(
    {
        "name": ContentField(
            "Name",
            "The newsletter's name, on pages and emails.",
            _line(LONGEST_NAME, needed=True),
            lambda identity, language: identity.texts_in(language).name,
            by_language=True,
        ),
        "tagline": ContentField(
            "Tagline",
            "One sentence below the name.",
            _line(LONGEST_TEXT, needed=True),
            lambda identity, language: identity.texts_in(language).tagline,
            by_language=True,
        ),
        "from_address": ContentField(
            "From address",
            "The address that sends issues and confirmations.",
            _address,
            lambda identity, _: identity.from_address,
        ),
        "from_name": ContentField(
            "From name",
            "The name beside the From address. The newsletter's name when empty.",
            _line(LONGEST_NAME),
            lambda identity, _: identity.from_name,
        ),
        "reply_to": ContentField(
            "Reply-To address",
            "The address for replies. The From address when empty.",
            _optional_address,
            lambda identity, _: identity.reply_to or "",
        ),
        "postal_address": ContentField(
            "Postal address",
            "Printed at the foot of every email. Many countries require it by law.",
            _line(LONGEST_TEXT, needed=True),
            lambda identity, _: identity.postal_address,
        ),
        "languages": ContentField(
            "Languages",
            "The languages of pages and emails, separated by commas. The first is the default.",
            parse_languages,
            lambda identity, _: ", ".join(identity.languages),
        ),
        "time_zone": ContentField(
            "Time zone",
            "An IANA name, such as Europe/Vilnius.",
            _zone,
            lambda identity, _: identity.time_zone,
        ),
    }
)


def as_text(identity: Identity, language: str) -> dict[str, str]:
    """Return every field as text, in one language."""
    return {name: field.show(identity, language) for name, field in FIELDS.items()}


def read_changes(before: Identity, given: Mapping[str, str], language: str) -> Changes:
    """Return what `given` (texts by field) changes, and what is wrong with it."""
    values: dict[str, Value] = {}
    faults: dict[str, str] = {}
    for name, text in given.items():
        field = FIELDS[name]
        try:
            value = field.parse(text)
        except ValueError as fault:
            faults[name] = f"{field.label} {fault}."
            continue
        if _plain(value) != field.show(before, language):
            values[name] = value
    return Changes(values, faults)


@dataclass(frozen=True)
class Changes:
    """Changed values by field, and a sentence for each field that cannot be used."""

    values: Mapping[str, Value]
    faults: Mapping[str, str]


def _plain(value: Value) -> str:
    return ", ".join(value) if isinstance(value, tuple) else value or ""
