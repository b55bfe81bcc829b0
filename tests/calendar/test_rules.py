"""The dates of each frequency, with weekdays, second weeks, short months and holidays."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.calendar.rules import Rules, check_rules, holiday_places, read_weekdays
from newsletter.errors import InputError
from newsletter.models import Frequency

DAY = timedelta(days=1)
DATES = st.dates(date(2020, 1, 1), date(2035, 1, 1))


def dates_of(rules: Rules, frequency: Frequency, first: date, days: int) -> list[date]:
    return [first + DAY * step for step in range(days) if rules.due(frequency, first + DAY * step)]


def test_daily_is_on_its_weekdays():
    found = dates_of(Rules(daily=frozenset({0, 4})), Frequency.DAILY, date(2026, 3, 2), 14)

    assert [each.day for each in found] == [2, 6, 9, 13]


def test_every_second_week_is_counted_from_a_date():
    rules = Rules(weekly=frozenset({1, 4}), weekly_every=2, weekly_from=date(2026, 3, 5))

    found = dates_of(rules, Frequency.WEEKLY, date(2026, 2, 16), 28)

    assert [str(each) for each in found] == ["2026-02-17", "2026-02-20", "2026-03-03", "2026-03-06"]


def test_monthly_is_the_last_day_of_a_shorter_month():
    found = dates_of(Rules(monthly_day=31), Frequency.MONTHLY, date(2026, 1, 1), 120)

    assert [str(each) for each in found] == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]


def test_a_holiday_skips_the_daily_date_and_moves_the_others():
    # In 2026, April 3 is Good Friday, and April 6 is Easter Monday.
    rules = Rules(daily=frozenset({0, 4}), weekly=frozenset({4}), monthly_day=6, holidays="DE")

    daily = dates_of(rules, Frequency.DAILY, date(2026, 4, 1), 10)
    weekly = dates_of(rules, Frequency.WEEKLY, date(2026, 4, 1), 7)
    monthly = dates_of(rules, Frequency.MONTHLY, date(2026, 4, 1), 30)

    assert [each.day for each in daily] == [10]
    assert [each.day for each in weekly] == [4]
    assert [each.day for each in monthly] == [7]


def test_nothing_has_a_date_as_it_happens():
    assert not Rules(daily=frozenset(range(7))).due(Frequency.IMMEDIATE, date(2026, 3, 2))


@given(DATES, st.integers(1, 31))
def test_each_month_has_one_monthly_date(day: date, number: int):
    first = day.replace(day=1)
    days = [first + DAY * step for step in range(31) if (first + DAY * step).month == first.month]

    assert sum(Rules(monthly_day=number).due(Frequency.MONTHLY, each) for each in days) == 1


@given(DATES, st.sets(st.integers(0, 6), min_size=1), st.sets(DATES, max_size=5), st.sampled_from([1, 2]))
def test_no_weekly_date_is_lost_to_holidays(day: date, weekdays: set[int], free: set[date], every: int):
    off = free | {day, day + DAY}
    plain = Rules(weekly=frozenset(weekdays), weekly_every=every)
    rules = Rules(weekly=frozenset(weekdays), weekly_every=every, is_holiday=off.__contains__)

    for each in dates_of(plain, Frequency.WEEKLY, day - DAY * 7, 21):
        moved = next(each + DAY * step for step in range(10) if each + DAY * step not in off)
        assert rules.due(Frequency.WEEKLY, moved)
    assert not any(rules.due_on(each) for each in off)


def test_weekdays_are_read_by_name():
    assert read_weekdays(["Monday", "fri"]) == {0, 4}
    with pytest.raises(InputError):
        read_weekdays(["someday"])


@pytest.mark.parametrize(
    "rules",
    [
        Rules(daily=frozenset()), Rules(weekly=frozenset({7})), Rules(weekly_every=3), Rules(monthly_day=0),
        Rules(holidays="XX"),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_used_are_refused(rules: Rules):
    with pytest.raises(InputError):
        check_rules(rules)


def test_parts_of_countries_have_holidays_of_their_own():
    assert {"DE", "DE-BY"} <= holiday_places()
    assert Rules(holidays="DE-BY").due(Frequency.DAILY, date(2026, 1, 7))
    assert not Rules(holidays="DE-BY").due(Frequency.DAILY, date(2026, 1, 6))
