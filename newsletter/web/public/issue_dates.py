"""Say on the public pages when issues come: the rule of each frequency in words, and the next date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_skeleton, format_time, get_day_names
from babel.lists import format_list
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from newsletter.calendar.instants import zone_of
from newsletter.calendar.next_dates import next_instants
from newsletter.calendar.plan import Calendar, Hour
from newsletter.calendar.rules import DATED, Rules
from newsletter.calendar.store import calendar_in_use
from newsletter.models import Frequency
from newsletter.web.http.time_zones import zone_in_words
from newsletter.web.public.forms import FREQUENCY_WORDS


@dataclass(frozen=True)
class IssueDates:
    """When the issues of one newsletter come. `rules` has a frequency, its rule, and its next date."""

    rules: Sequence[tuple[str, str, str]]
    zone: str


def issue_dates(
    session: Session, newsletter_id: int, hour: Hour, now: datetime, language: str
) -> IssueDates | None:
    """Return when issues come for somebody with this hour, in a language; None without a schedule."""
    calendar = calendar_in_use(session, newsletter_id)
    if calendar is None:
        return None
    locale = Locale.parse(language, sep="-")
    zone = zone_of(hour[0] if hour else calendar.time_zone)
    rules = [
        (
            str(FREQUENCY_WORDS[each]),
            _capital(f"{_rule(calendar.rules, each, locale)}, {_hour(calendar, hour, locale)}"),
            _next(moment, zone, locale),
        )
        for each, moment in sorted(
            next_instants(calendar, hour, now).items(), key=lambda found: DATED.index(found[0])
        )
    ]
    return IssueDates(rules, zone_in_words(zone.key, language)) if rules else None


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _hour(calendar: Calendar, hour: Hour, locale: Locale) -> str:
    return format_time(time(hour[1] if hour else calendar.hour), "short", locale=locale)


def _next(moment: datetime, zone: ZoneInfo, locale: Locale) -> str:
    there = moment.astimezone(zone)
    day = format_skeleton("yMMMEd", there.replace(tzinfo=None), locale=locale)
    return f"{day}, {format_time(there.time(), 'short', locale=locale)}"


def _rule(rules: Rules, frequency: Frequency, locale: Locale) -> str:
    if frequency is Frequency.DAILY:
        return _weekdays(rules.daily, locale)
    if frequency is Frequency.WEEKLY:
        days = _weekdays(rules.weekly, locale)
        return days if rules.weekly_every == 1 else str(_("%(days)s, every second week", days=days))
    if rules.monthly_day == 31:
        return str(_("on the last day of the month"))
    return str(_("on day %(day)s of the month", day=rules.monthly_day))


def _weekdays(days: frozenset[int], locale: Locale) -> str:
    names = get_day_names("wide", "stand-alone", locale)
    if len(days) == 7:
        return str(_("every day"))
    if days == frozenset(range(5)):
        return str(_("%(first)s to %(last)s", first=names[0], last=names[4]))
    return format_list([names[each] for each in sorted(days)], locale=locale)
