"""Names for every template: the newsletter's name, asset URLs, dates and numbers in the page's language."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from babel.dates import format_skeleton, format_timedelta
from babel.lists import format_list
from flask import Flask, url_for
from flask_babel import format_date, format_datetime, format_decimal, get_locale, to_user_timezone

from newsletter.clock import zone_in_words
from newsletter.identity import Logo, Texts
from newsletter.mail.palette import USUAL, colours_name
from newsletter.models import DeliveryState
from newsletter.runtime import Runtime
from newsletter.web.http.extensions import runtime
from newsletter.web.http.language import page_language
from newsletter.web.http.this_newsletter import (
    all_newsletters,
    is_only_one,
    named_newsletter,
    this_newsletter,
)


@dataclass(frozen=True)
class Site:
    """The newsletter's details that templates use, in the language of the page.

    A page about no newsletter, or about several, has the name of the host. It is a global of the templates,
    because imported macros have no other context. So the values are looked up for each request.
    """

    public_url: str
    demo: bool

    @property
    def name(self) -> str:
        """The newsletter's name."""
        texts = _texts()
        return texts.name if texts else urlsplit(self.public_url).netloc

    @property
    def tagline(self) -> str:
        """The sentence below the name."""
        texts = _texts()
        return texts.tagline if texts else ""

    @property
    def colours_url(self) -> str | None:
        """The URL of the style sheet with the newsletter's colours; None for the usual colours."""
        named = named_newsletter()
        if named is None or named.palette == USUAL:
            return None
        return url_for("public.colours", colours=colours_name(named.palette), lang=None)

    @property
    def logo(self) -> Logo | None:
        """The newsletter's logo."""
        named = named_newsletter()
        return named.logo if named else None

    @property
    def postal_address(self) -> str:
        """The publisher's postal address."""
        named = named_newsletter()
        addresses = {each.postal_address for each in ([named] if named else all_newsletters())}
        return addresses.pop() if len(addresses) == 1 else ""

    @property
    def contact(self) -> str:
        """The owner's address, to write to."""
        return this_newsletter().contact

    @property
    def one_newsletter(self) -> bool:
        """Whether there is one newsletter."""
        return is_only_one()


def _texts() -> Texts | None:
    named = named_newsletter()
    return None if named is None else named.texts_in(page_language())


@lru_cache(maxsize=256)
def _version(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def init_display(app: Flask, parts: Runtime) -> None:
    """Register the globals and filters of the templates."""
    settings = parts.settings
    static = Path(app.static_folder or "")

    def asset(name: str) -> str:
        # The content's hash is in the URL, so browsers may cache it forever.
        return url_for("static", filename=name, v=_version(static / name))

    app.jinja_env.globals.update(
        asset=asset,
        site=Site(settings.public_url, settings.demo),
        links=parts.links,
        proof_wanted=settings.altcha,
    )
    app.jinja_env.filters.update(
        by_group=by_group,
        date=_date,
        datetime=_datetime,
        delivery_words=_delivery_words,
        listing=listing,
        month=_month,
        month_name=_month_name,
        number=_number,
        timeago=_timeago,
        utc=_utc,
    )


def by_group(items: Iterable[Any]) -> list[tuple[str, list[Any]]]:
    """Return the items under the name of their group (`item.group`), in their order."""
    return [(name, list(members)) for name, members in groupby(items, key=lambda item: item.group)]


def listing(words: Iterable[object]) -> str:
    """Return the words as a list in the page's language: A, B and C."""
    return format_list([str(word) for word in words], locale=get_locale() or "en")


def _date(value: date | datetime | None, style: str = "long") -> str:
    return format_date(value, style) if value else ""


def _month(value: date) -> str:
    return format_skeleton("yMMMM", value, locale=get_locale() or "en")


def _month_name(value: date) -> str:
    return str(format_date(value, "LLLL"))


def _datetime(value: datetime | None, style: str = "medium") -> str:
    """Return date and time with their zone, which is the subscriber's or the newsletter's."""
    if not value:
        return ""
    return f"{format_datetime(value, style)} {zone_in_words(to_user_timezone(value))}"


def _utc(value: datetime | str) -> str:
    """Return date and time in UTC, for records that are read by people in any zone."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _timeago(value: datetime | None) -> str:
    if value is None:
        return ""
    passed = value - runtime().now()
    return format_timedelta(passed, add_direction=True, locale=get_locale() or "en")


def _delivery_words(state: str) -> str:
    return DeliveryState(state).words


def _number(value: float | None) -> str:
    return format_decimal(value) if value is not None else ""
