"""The form for a subscriber's language, time zone and hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from typing import Any

from babel.dates import format_time
from flask_babel import get_locale
from flask_babel import lazy_gettext as _
from markupsafe import Markup
from wtforms import Form, SelectField, StringField, ValidationError

from newsletter.languages import choose_language, language_name
from newsletter.subscribers.choices.preferences import PersonalSettings
from newsletter.web.http.time_zones import known_zones, zone_in_words, zone_options

ANY_HOUR = ""


class PersonalSettingsForm(Form):  # type: ignore[misc]
    """The language, time zone and preferred hour of a subscriber's emails."""

    language = SelectField(_("Language"))
    time_zone = StringField(_("Time zone"))
    preferred_hour = SelectField(_("Time of day"))

    def __init__(self, posted: Any, personal_settings: PersonalSettings, offered: Sequence[str]) -> None:
        hour = personal_settings.preferred_hour
        super().__init__(
            posted,
            data={
                "language": choose_language(personal_settings.language, offered),
                "time_zone": personal_settings.time_zone,
                "preferred_hour": ANY_HOUR if hour is None else str(hour),
            },
        )
        self._usual_zone = personal_settings.time_zone
        self.language.choices = [(each, language_name(each)) for each in offered]
        locale = get_locale() or "en"
        hours = [(str(hour), format_time(time(hour), "short", locale=locale)) for hour in range(24)]
        self.preferred_hour.choices = [(ANY_HOUR, _("Whenever an issue is sent")), *hours]

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
        return PersonalSettings(self.language.data, self.time_zone.data, int(hour) if hour else None)
