"""The form for a subscriber's language, time zone and hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from typing import Any

from babel.dates import format_time
from flask_babel import get_locale
from flask_babel import lazy_gettext as _
from markupsafe import Markup
from wtforms import BooleanField, Form, SelectField, SelectMultipleField, StringField, ValidationError

from newsletter.languages import choose_language, language_name, parse_language
from newsletter.subscribers.choices.preferences import PersonalSettings
from newsletter.web.http.time_zones import known_zones, zone_in_words, zone_options

ANY_HOUR = ""
# What a subscriber agrees to, beside the field. The ledger keeps it in the language in which they saw it.
CLICKS_WORDING = _(
    "If you tick this, the links in your issues are counted: how often each release is opened. Only the sum "
    "is kept, never who opened it. You can change this at any time."
)


class PersonalSettingsForm(Form):  # type: ignore[misc]
    """The language, time zone and preferred hour of a subscriber's emails."""

    language = SelectField(_("Language"))
    time_zone = StringField(_("Time zone"))
    preferred_hour = SelectField(_("Time of day"))
    clicks = BooleanField(_("Count which releases I open"))
    release_languages = SelectMultipleField(_("Languages of releases"), validate_choice=False)

    def __init__(
        self,
        posted: Any,
        personal_settings: PersonalSettings,
        offered: Sequence[str],
        of_releases: Sequence[str] = (),
        *,
        asks_clicks: bool = False,
    ) -> None:
        """`offered` has the languages of emails, and `of_releases` those that releases have.

        `asks_clicks`: the page asks whether links may be counted.
        """
        hour = personal_settings.preferred_hour
        super().__init__(
            posted,
            data={
                "language": choose_language(personal_settings.language, offered),
                "time_zone": personal_settings.time_zone,
                "preferred_hour": ANY_HOUR if hour is None else str(hour),
                "release_languages": sorted(personal_settings.release_languages),
                "clicks": bool(personal_settings.clicks),
            },
        )
        # A person who agreed can withdraw that, even if no newsletter counts any more.
        self.asks_clicks = asks_clicks or bool(personal_settings.clicks)
        self._usual_zone = personal_settings.time_zone
        self.language.choices = [(each, language_name(each)) for each in offered]
        locale = get_locale() or "en"
        hours = [(str(hour), format_time(time(hour), "short", locale=locale)) for hour in range(24)]
        self.preferred_hour.choices = [(ANY_HOUR, _("Whenever an issue is sent")), *hours]

        # A choice stays on offer, even if no release has that language any more.
        known = {*of_releases, *personal_settings.release_languages}
        named = [(each, _name_here(each)) for each in known]
        self.release_languages.choices = sorted(named, key=lambda each: each[1].casefold())
        self.release_languages.data = [each for each in self.release_languages.data or () if each in known]

    def validate_time_zone(self, field: StringField) -> None:
        """Accept known zones, and the subscriber's current one even if it no longer exists."""
        if field.data not in known_zones() and field.data != self._usual_zone:
            field.data = self._usual_zone
            raise ValidationError(_("Please choose a time zone from the list."))

    @property
    def zone(self) -> tuple[str, str]:
        """The chosen zone and its name in the page's language."""
        name = self.time_zone.data or self._usual_zone
        return name, zone_in_words(name, str(get_locale() or "en"))

    @property
    def zones(self) -> Markup:
        """The options of the time zone field."""
        return zone_options(str(get_locale() or "en"))

    def personal_settings(self) -> PersonalSettings:
        """Return the chosen values."""
        hour = self.preferred_hour.data
        return PersonalSettings(
            self.language.data,
            self.time_zone.data,
            int(hour) if hour else None,
            frozenset(self.release_languages.data),
            bool(self.clicks.data) if self.asks_clicks else None,
            str(CLICKS_WORDING),
        )


def _name_here(language: str) -> str:
    """Return the name of a language in the language of the page."""
    name: str = (get_locale() or parse_language("en")).languages.get(language, language)
    return name[:1].upper() + name[1:]
