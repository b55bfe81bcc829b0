"""The form of a reader's language, time zone and hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from babel.dates import format_time
from flask_babel import get_locale
from flask_babel import lazy_gettext as _
from wtforms import Form, SelectField

from newsletter.languages import choose_language, language_name
from newsletter.subscriptions.preferences import Habits

# What people know where they live by; the rest of the list is for machines and for the past.
REGIONS = frozenset(
    {"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian"}
    | {"Pacific"}
)
ANY_HOUR = ""


@lru_cache(maxsize=1)
def _zones() -> dict[str, list[tuple[str, str]]]:
    """Return the zones by region, each with its name as people read it."""
    grouped: dict[str, list[tuple[str, str]]] = {"UTC": [("UTC", "UTC")]}
    for name in sorted(available_timezones()):
        region, _slash, place = name.partition("/")
        if place and region in REGIONS:
            grouped.setdefault(region, []).append((name, place.replace("_", " ").replace("/", ", ")))
    return grouped


class HabitsForm(Form):  # type: ignore[misc]
    """In which language a reader is written to, where they live, and at which hour they read."""

    language = SelectField(_("Language"))
    time_zone = SelectField(_("Time zone"))
    preferred_hour = SelectField(_("Time of day"))

    def __init__(self, posted: Any, habits: Habits, offered: Sequence[str]) -> None:
        hour = habits.preferred_hour
        super().__init__(
            posted,
            data={
                "language": choose_language(habits.language, offered),
                "time_zone": habits.time_zone,
                "preferred_hour": ANY_HOUR if hour is None else str(hour),
            },
        )
        self.language.choices = [(each, language_name(each)) for each in offered]
        zones = _zones()
        if not any(habits.time_zone == name for group in zones.values() for name, _place in group):
            # An older name of a zone, or one that came with an import.
            zones = {"": [(habits.time_zone, habits.time_zone)], **zones}
        self.time_zone.choices = zones
        locale = get_locale() or "en"
        hours = [(str(hour), format_time(time(hour), "short", locale=locale)) for hour in range(24)]
        self.preferred_hour.choices = [(ANY_HOUR, _("Whenever an issue goes out")), *hours]

    def habits(self) -> Habits:
        """Return what was chosen."""
        hour = self.preferred_hour.data
        return Habits(self.language.data, self.time_zone.data, int(hour) if hour else None)
