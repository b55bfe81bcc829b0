"""The fields of a newsletter that people edit: how each is read from text. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from newsletter.identity import Identity, Texts
from newsletter.mail.palette import contrast_faults, parse_colour
from newsletter.messages.digests.subject import check_template
from newsletter.models import ClickCounting, EmailImages, Frequency
from newsletter.settings.parse.common import parse_address, whole_number
from newsletter.settings.parse.general import one_of, parse_languages

LONGEST_SLUG = 64
LONGEST_NAME = 120
LONGEST_TEXT = 500
LONGEST_CONSENT = 1000
HIGHEST_POSITION = 9999

# Words that pages of newsletters are called by, or may be one day.
RESERVED_SLUGS = frozenset(
    {"add", "all", "archive", "delete", "edit", "embed", "export", "import", "list", "logo", "new", "order"}
)
_SLUG = re.compile(r"[a-z0-9](?:-?[a-z0-9])*")

Value = str | int | tuple[str, ...] | None


@dataclass(frozen=True)
class ContentField:
    """One field: its name for people, and what it is for.

    `parse` reads it from text; it raises ValueError with words that follow the field's name. `show` writes it
    as text. `by_language`: each language has its own. `is_colour`: it is one of `Identity.colours`. `setting`
    is the former setting that filled it.
    """

    label: str
    help: str
    parse: Callable[[str], Value]
    show: Callable[[Identity, str], str]
    by_language: bool = False
    is_colour: bool = False
    setting: str | None = None


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


def _slug(value: str) -> str:
    slug = value.strip()
    if not slug:
        raise ValueError("is empty")
    if len(slug) > LONGEST_SLUG or not _SLUG.fullmatch(slug):
        raise ValueError(
            f"is not made of a-z and 0-9, with hyphens between them, at most {LONGEST_SLUG} characters"
        )
    if slug in RESERVED_SLUGS:
        raise ValueError(f"cannot be {slug}: this word is reserved. Choose another")
    return slug


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


def _own_subject(identity: Identity, language: str) -> str:
    texts = identity.texts.get(language)
    return texts.subject if texts else ""


def _own_consent(identity: Identity, language: str) -> str:
    texts = identity.texts.get(language)
    return texts.consent if texts else ""


def _colour(name: str, label: str, words: str) -> ContentField:
    """Return the field of the colour `name`. When empty, it is not in `Identity.colours`."""
    return ContentField(
        label,
        words,
        lambda value: parse_colour(value) if value.strip() else "",
        lambda identity, _: identity.colours.get(name, ""),
        is_colour=True,
    )


# By the name of the column. Colours are in one column, and texts by language in rows of their own.
FIELDS: Mapping[str, ContentField] = MappingProxyType(
    {
        "slug": ContentField(
            "Slug",
            "The short name in URLs, such as harbour-news. URLs with an earlier slug do not work.",
            _slug,
            lambda identity, _: identity.slug,
        ),
        "name": ContentField(
            "Name",
            "The newsletter's name, on pages and emails.",
            _line(LONGEST_NAME, needed=True),
            lambda identity, language: identity.texts_in(language).name,
            by_language=True,
            setting="site_name",
        ),
        "tagline": ContentField(
            "Tagline",
            "One sentence below the name.",
            _line(LONGEST_TEXT, needed=True),
            lambda identity, language: identity.texts_in(language).tagline,
            by_language=True,
            setting="tagline",
        ),
        "consent": ContentField(
            "Consent wording",
            "The sentence beside the sign-up button. If empty: the usual one of the language.",
            _line(LONGEST_CONSENT),
            _own_consent,
            by_language=True,
        ),
        "subject": ContentField(
            "Subject of issues",
            "With fields such as {headline}{more}, {newsletter}, {date}, {number}. If empty: the usual one.",
            check_template,
            _own_subject,
            by_language=True,
        ),
        "from_address": ContentField(
            "From address",
            "The address that sends issues and confirmations.",
            _address,
            lambda identity, _: identity.from_address,
            setting="from_address",
        ),
        "from_name": ContentField(
            "From name",
            "The name beside the From address. If empty: the newsletter's name.",
            _line(LONGEST_NAME),
            lambda identity, _: identity.from_name,
            setting="from_name",
        ),
        "reply_to": ContentField(
            "Reply-To address",
            "The address for replies. If empty: the From address.",
            _optional_address,
            lambda identity, _: identity.reply_to or "",
            setting="reply_to",
        ),
        "postal_address": ContentField(
            "Postal address",
            "Printed at the foot of every email. Many countries require it by law.",
            _line(LONGEST_TEXT, needed=True),
            lambda identity, _: identity.postal_address,
            setting="postal_address",
        ),
        "languages": ContentField(
            "Languages",
            "The languages of pages and emails, separated by commas. The first is the default.",
            parse_languages,
            lambda identity, _: ", ".join(identity.languages),
            setting="languages",
        ),
        "time_zone": ContentField(
            "Time zone",
            "An IANA name, such as Europe/Vilnius.",
            _zone,
            lambda identity, _: identity.time_zone,
            setting="time_zone",
        ),
        "default_frequency": ContentField(
            "Default frequency",
            "The frequency that the sign-up page has chosen at first: " + ", ".join(Frequency) + ".",
            one_of(Frequency),
            lambda identity, _: identity.default_frequency.value,
        ),
        "email_images": ContentField(
            "Images in issues",
            "The images that issues show: off, or lead (the image of each release).",
            one_of(EmailImages),
            lambda identity, _: identity.email_images.value,
        ),
        "click_counting": ContentField(
            "Count followed links",
            "Whether followed links of issues are counted: off, or agreed (only of subscribers who agreed).",
            one_of(ClickCounting),
            lambda identity, _: identity.click_counting.value,
        ),
        "accent": _colour("accent", "Accent colour", "Of links and buttons, such as #8c2f1b."),
        "on_accent": _colour(
            "on_accent", "Text on the accent colour", "Of the text on buttons. If empty: chosen for you."
        ),
        "dark_accent": _colour(
            "dark_accent",
            "Accent colour in dark mode",
            "Of links and buttons in dark mode. If empty: chosen for you.",
        ),
        "on_dark_accent": _colour(
            "on_dark_accent",
            "Text on it in dark mode",
            "Of the text on buttons in dark mode. If empty: chosen for you.",
        ),
        "position": ContentField(
            "Position",
            "The place among the newsletters, as a number. The lowest is first.",
            whole_number(0, HIGHEST_POSITION),
            lambda identity, _: str(identity.position),
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


def is_column(name: str) -> bool:
    """Return whether the field is a column of its own."""
    return not (FIELDS[name].by_language or FIELDS[name].is_colour)


def colour_faults(before: Identity, after: Identity) -> dict[str, str]:
    """Return a sentence for each colour that is hard to read, by its field, if the colours have changed."""
    if after.colours == before.colours:
        return {}
    faults = contrast_faults(after.palette)
    return {name: f"{FIELDS[name].label}: {words}" for name, words in faults.items()}


def apply_changes(before: Identity, values: Mapping[str, Value], language: str) -> Identity:
    """Return the identity with changed values; the texts among them are those of `language`.

    If its first language has no texts, it gets those that its subscribers saw before.
    """
    plain: dict[str, Any] = {name: value for name, value in values.items() if is_column(name)}
    edited: dict[str, Any] = {name: value for name, value in values.items() if FIELDS[name].by_language}
    chosen = {name: str(value) for name, value in values.items() if FIELDS[name].is_colour}
    colours = {name: colour for name, colour in {**before.colours, **chosen}.items() if colour}
    after = replace(before, **plain, colours=colours)
    texts = dict(before.texts)
    if edited:
        texts[language] = replace(_start_of(before, language), **edited)
    first = after.languages[0]
    if first not in texts:
        texts[first] = _start_of(before, first)
    return replace(after, texts=texts)


def _start_of(identity: Identity, language: str) -> Texts:
    """Return the texts of a language.

    A language without texts gets those of the first, but with the usual consent wording and subject.
    """
    texts = identity.texts_in(language)
    return texts if language in identity.texts else replace(texts, consent="", subject="")


def _plain(value: Value) -> str:
    return ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
