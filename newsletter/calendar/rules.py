"""The rules of a newsletter's calendar: on which dates is a frequency due? Pure."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from importlib import import_module
from typing import Any

from newsletter.errors import InputError
from newsletter.models import Frequency

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY = timedelta(days=1)
# The frequencies that have dates. Issues as it happens have none.
DATED = (Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY)
# More holidays in a row than any country has.
MOST_HOLIDAYS = 40


@dataclass(frozen=True)
class Rules:
    """One rule for each frequency. Weekdays count from 0, which is Monday.

    `weekly_every` is 1 or 2. Weeks are counted from the one of `weekly_from`. `holidays` names a country, or
    a part of one, such as DE or DE-BY; "" for none. On a holiday, the daily date is left out, and a weekly or
    monthly date moves to the next day that is no holiday.
    """

    daily: frozenset[int] = frozenset(range(5))
    weekly: frozenset[int] = frozenset({1})
    weekly_every: int = 1
    weekly_from: date = date(2024, 1, 1)
    monthly_day: int = 1
    holidays: str = ""
    is_holiday: Callable[[date], bool] | None = field(default=None, compare=False, repr=False)

    def due(self, frequency: Frequency, day: date) -> bool:
        """Return whether `day` is a date of this frequency."""
        off = self._off(day)
        if off or frequency is Frequency.IMMEDIATE:
            return False
        if self._named(frequency, day):
            return True
        if frequency is Frequency.DAILY:
            return False
        for back in range(1, MOST_HOLIDAYS):
            earlier = day - DAY * back
            if not self._off(earlier):
                return False
            if self._named(frequency, earlier):
                return True
        return False

    def due_on(self, day: date) -> frozenset[Frequency]:
        """Return the frequencies that are due on `day`."""
        return frozenset(each for each in DATED if self.due(each, day))

    def _named(self, frequency: Frequency, day: date) -> bool:
        """Return whether the rule names the day, holiday or not."""
        if frequency is Frequency.DAILY:
            return day.weekday() in self.daily
        if frequency is Frequency.WEEKLY:
            weeks = (_monday(day) - _monday(self.weekly_from)).days // 7
            return day.weekday() in self.weekly and weeks % self.weekly_every == 0
        return day.day == min(self.monthly_day, monthrange(day.year, day.month)[1])

    def _off(self, day: date) -> bool:
        if self.is_holiday is not None:
            return self.is_holiday(day)
        return bool(self.holidays) and day in _holidays(self.holidays, day.year)


def check_rules(rules: Rules) -> None:
    """Raise InputError if a rule cannot be used."""
    for name, days in (("daily", rules.daily), ("weekly", rules.weekly)):
        if not days or not days <= set(range(7)):
            raise InputError(f"Choose at least one weekday for {name} issues.")
    if rules.weekly_every not in {1, 2}:
        raise InputError("Weekly issues come every week or every second week.")
    if not 1 <= rules.monthly_day <= 31:
        raise InputError("Choose a day from 1 to 31 for monthly issues.")
    if rules.holidays and rules.holidays not in holiday_places():
        raise InputError(
            f"The holidays of {rules.holidays} are not known. Use a code such as DE, or DE-BY for a part."
        )


def read_weekdays(names: Collection[str]) -> frozenset[int]:
    """Return the numbers of weekdays, by English names or their first three characters. Raises InputError."""
    found = set()
    for name in names:
        word = name.strip().lower()
        at = [number for number, each in enumerate(WEEKDAYS) if word in {each, each[:3]}]
        if not at:
            raise InputError(f"{name} is no weekday. Write, for example: monday,thursday")
        found.update(at)
    return frozenset(found)


@lru_cache(maxsize=1)
def holiday_places() -> frozenset[str]:
    """Return the codes of the countries, and of their parts, whose holidays are known."""
    places = _library().list_supported_countries()
    return frozenset([*places, *(f"{place}-{part}" for place, parts in places.items() for part in parts)])


@lru_cache(maxsize=256)
def _holidays(place: str, year: int) -> frozenset[date]:
    country, _, part = place.partition("-")
    return frozenset(_library().country_holidays(country, subdiv=part or None, years=year))


def _library() -> Any:
    # Loading it takes a third of a second, and most calendars have no holidays.
    return import_module("holidays")


def _monday(day: date) -> date:
    return day - DAY * day.weekday()
