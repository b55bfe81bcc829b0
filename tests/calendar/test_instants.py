"""A date, an hour and a time zone make an instant, also where clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.calendar.instants import instant, zone_of

ALL_ZONES = sorted(available_timezones())


@pytest.mark.parametrize(
    ("day", "hour", "zone", "expected"),
    [
        (date(2026, 3, 10), 8, "Europe/Berlin", datetime(2026, 3, 10, 7, tzinfo=UTC)),
        # 2:00 comes twice in autumn: the first time.
        (date(2026, 10, 25), 2, "Europe/Berlin", datetime(2026, 10, 25, 0, tzinfo=UTC)),
        # 2:00 is skipped in spring: the first moment after the gap.
        (date(2026, 3, 29), 2, "Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
        # A gap of half an hour, from 2:00 to 2:30.
        (date(2026, 10, 4), 2, "Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
        # Samoa skipped a whole day.
        (date(2011, 12, 30), 9, "Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
        (date(2026, 3, 10), 8, "No/Such_Zone", datetime(2026, 3, 10, 8, tzinfo=UTC)),
    ],
)
def test_the_instant_of_an_hour(day: date, hour: int, zone: str, expected: datetime):
    assert instant(day, hour, zone) == expected


@given(st.sampled_from(ALL_ZONES), st.dates(date(1990, 1, 1), date(2040, 1, 1)), st.integers(0, 23))
def test_an_instant_is_the_first_moment_at_or_after_the_hour(zone: str, day: date, hour: int):
    wanted = datetime.combine(day, time(hour))

    moment = instant(day, hour, zone)

    def shown(at: datetime) -> datetime:
        return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)

    assert shown(moment) >= wanted
    # Nothing in the two days before shows the hour or a later one of that day, except clocks set back twice.
    for minutes in range(1, 60 * 26, 7):
        assert shown(moment - timedelta(minutes=minutes)) < wanted or shown(moment) == wanted


@given(st.sampled_from(ALL_ZONES), st.dates(date(1990, 1, 1), date(2040, 1, 1)), st.integers(0, 22))
def test_later_hours_and_dates_come_later_or_at_once(zone: str, day: date, hour: int):
    assert instant(day, hour, zone) <= instant(day, hour + 1, zone)
    assert instant(day, hour, zone) <= instant(day + timedelta(days=1), hour, zone)


@given(st.sampled_from(ALL_ZONES), st.dates(date(1990, 1, 1), date(2040, 1, 1)), st.integers(0, 23))
def test_an_hour_that_clocks_show_twice_is_the_first(zone: str, day: date, hour: int):
    local = datetime.combine(day, time(hour), ZoneInfo(zone))
    later = local.replace(fold=1).astimezone(UTC)

    assert instant(day, hour, zone) <= max(later, local.astimezone(UTC))


def test_an_unknown_zone_is_utc():
    assert zone_of("No/Such_Zone").key == "UTC"
