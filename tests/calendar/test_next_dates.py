"""When each frequency is due next, for the newsletter's hour and for one's own."""

from __future__ import annotations

from datetime import UTC, datetime

from newsletter.calendar.next_dates import next_instants
from newsletter.calendar.plan import Calendar
from newsletter.calendar.rules import Rules
from newsletter.models import Frequency

DAILY, WEEKLY, MONTHLY = Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY
# Monday to Friday, Tuesdays and Fridays, and the 15th, at 8 in Vilnius (UTC+2 in winter).
CALENDAR = Calendar(1, "Europe/Vilnius", 8, Rules(weekly=frozenset({1, 4}), monthly_day=15))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_each_frequency_has_its_next_date_at_the_hour_of_the_newsletter():
    assert next_instants(CALENDAR, None, at("2026-12-04 07:00")) == {  # a Friday, after the hour
        DAILY: at("2026-12-07 06:00"),
        WEEKLY: at("2026-12-08 06:00"),
        MONTHLY: at("2026-12-15 06:00"),
    }


def test_todays_date_counts_until_its_hour():
    assert next_instants(CALENDAR, None, at("2026-12-04 05:59"))[WEEKLY] == at("2026-12-04 06:00")


def test_an_own_hour_counts_in_its_own_zone():
    found = next_instants(CALENDAR, ("Asia/Tokyo", 7), at("2026-12-07 12:00"))

    assert found[WEEKLY] == at("2026-12-07 22:00")  # 8 December, 7:00 in Tokyo


def test_a_frequency_without_weekdays_has_no_date():
    never = Calendar(1, "UTC", 8, Rules(daily=frozenset()))

    assert set(next_instants(never, None, at("2026-12-04 07:00"))) == {WEEKLY, MONTHLY}
