"""Tests of reading the dates of feeds."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from newsletter.ingest.feeds.dates import read_date


@pytest.mark.parametrize(
    ("text", "day", "moment"),
    [
        ("Tue, 10 Mar 2026 23:30:00 -0500", date(2026, 3, 10), datetime(2026, 3, 11, 4, 30, tzinfo=UTC)),
        ("10 Mar 2026 09:30 GMT", date(2026, 3, 10), datetime(2026, 3, 10, 9, 30, tzinfo=UTC)),
        ("2026-03-10T00:30:00+02:00", date(2026, 3, 10), datetime(2026, 3, 9, 22, 30, tzinfo=UTC)),
        ("2026-03-10T09:30:15.250Z", date(2026, 3, 10), datetime(2026, 3, 10, 9, 30, 15, tzinfo=UTC)),
        ("2026-03-10 09:30", date(2026, 3, 10), datetime(2026, 3, 10, 9, 30, tzinfo=UTC)),
        ("2026-03-10", date(2026, 3, 10), None),
        ("10 March 2026", date(2026, 3, 10), None),
    ],
)
def test_the_date_is_the_publishers_and_the_moment_is_in_utc(text, day, moment):
    assert read_date(text) == (day, moment)


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-40", "0001-01-01", "9999-12-31T23:59:59-23:00", "Tue, 99 Mar"]
)
def test_what_is_no_date_is_none(text):
    assert read_date(text) is None


def test_feedparsers_reading_helps_with_other_forms():
    found = read_date("10. Maerz", (2026, 3, 10, 8, 0, 0, 1, 69, 0))

    assert found == (date(2026, 3, 10), datetime(2026, 3, 10, 8, 0, tzinfo=UTC))
