"""Say the rules of a calendar in English words, for the owner. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from newsletter.calendar.rules import WEEKDAYS, Rules
from newsletter.models import Frequency


def rule_in_words(rules: Rules, frequency: Frequency, hour: int) -> str:
    """Return one rule as words, such as "Tuesdays and Fridays at 8"."""
    at = f"at {hour}"
    if frequency is Frequency.DAILY:
        return f"{_daily(sorted(rules.daily))} {at}"
    if frequency is Frequency.WEEKLY:
        return _weekly(rules, at)
    if rules.monthly_day == 31:
        return f"The last day of each month {at}"
    or_last = ", or the last day of a shorter month," if rules.monthly_day > 28 else ""
    return f"The {_ordinal(rules.monthly_day)} of each month{or_last} {at}"


def _daily(days: Sequence[int]) -> str:
    if len(days) == 7:
        return "Every day"
    if days == list(range(5)):
        return "Monday to Friday"
    return _and([f"{WEEKDAYS[each].title()}s" for each in days])


def _weekly(rules: Rules, at: str) -> str:
    days = [WEEKDAYS[each].title() for each in sorted(rules.weekly)]
    if rules.weekly_every == 2:
        return f"{_and(days)} of every second week {at}, counted from the week of {rules.weekly_from}"
    return f"{_and([f'{each}s' for each in days])} {at}"


def holidays_in_words(rules: Rules) -> str:
    """Return what happens on holidays, "" if the calendar has none."""
    if not rules.holidays:
        return ""
    return (
        f"On holidays of {rules.holidays}, no daily issue is sent. A weekly or monthly issue moves to the "
        "next day that is no holiday."
    )


def gathering_in_words(minutes: int, releases: int | None) -> str:
    """Return in words when an issue "as it happens" is opened."""
    delay = "As soon as a release is ready"
    if minutes:
        delay = f"{'1 minute' if minutes == 1 else f'{minutes} minutes'} after the first release"
    if minutes and minutes % 60 == 0:
        hours = minutes // 60
        delay = f"{'1 hour' if hours == 1 else f'{hours} hours'} after the first release"
    return f"{delay}, or once {releases} releases wait" if releases and minutes else delay


def approval_in_words(hours: int, approver: str) -> str:
    """Return when an approval is asked for, and of whom."""
    before = "1 hour" if hours == 1 else f"{hours} hours"
    return f"{approver or 'The owner'} is asked {before} before the first emails of a date"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _ordinal(number: int) -> str:
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
