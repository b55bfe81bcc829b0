"""Finding dates in the formats, calendars and languages that releases use."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.ingest.press.dates.calendars import from_jalali, month_number
from newsletter.ingest.press.dates.find import PATTERNS, FoundDate, find_dates, latest_year, resolve

THE_DAY = (2025, 10, 23)


@pytest.mark.parametrize(
    "text",
    [
        "Updated 2025-10-23",
        "2025-10-23T09:00:00Z",
        "2025/10/23",
        "2025.10.23",
        "23.10.2025",
        "23/10/2025",
        "10/23/2025",
        "10/23/25",
        "23-10-2025",
        "23 October 2025",
        "23rd of October 2025",
        "23-Oct-2025",
        "Oct. 23, 2025",
        "October 23, 2025 9:00 AM ET",
        "October, 23, 2025 - 12:34",
        "OCT 23 2025",
        "Thursday, 23 October 2025",
        "23 octobre 2025",
        "le 23 octobre 2025",
        "23 de octubre de 2025",
        "23 ottobre 2025",
        "23 de outubro de 2025",
        "23. Oktober 2025",
        "23 oktober 2025",
        "23 października 2025 r.",
        "23. října 2025",
        "23. októbra 2025",
        "2025 m. spalio 23 d.",
        "2025. gada 23. oktobris",
        "23. oktoober 2025",
        "23. lokakuuta 2025",
        "2025. október 23.",
        "23 octombrie 2025",
        "23 Ekim 2025",
        "23 октября 2025 года",
        "23 жовтня 2025 року",
        "23 кастрычніка 2025",
        "23 октомври 2025",
        "23 Οκτωβρίου 2025",
        "2025年10月23日",
        "令和7年10月23日",
        "中華民國114年10月23日",
        "2025년 10월 23일",
        "٢٣ أكتوبر ٢٠٢٥",
        "٢٣ تشرين الأول ٢٠٢٥",
        "۱ آبان ۱۴۰۴",
        "1404/08/01",
        "23 באוקטובר 2025",
        "23 अक्टूबर 2025",
        "23 ตุลาคม 2568",
        "23 tháng 10 năm 2025",
        "October 23, Juche 114 (2025)",
        "23 Oktober 2025",
    ],
)
def test_a_date_is_found(text: str) -> None:
    (found,) = find_dates(text)

    assert (found.year, found.month, found.day) == THE_DAY


@pytest.mark.parametrize(
    "text", ["TOKYO, Oct. 23 -", "23 OCT, 08:05", "10月23日", "10월 23일", "spalio 23 d."]
)
def test_a_date_without_its_year_is_found(text: str) -> None:
    (found,) = find_dates(text)

    assert (found.year, found.month, found.day) == (None, 10, 23)


@pytest.mark.parametrize(
    "text",
    [
        "Resolution 2231 (2015)",
        "version 3.10.2",
        "31 February 2025",
        "1234-56-78",
        "may",
        "99/99/2025",
        "call 555-01-0199",
    ],
)
def test_text_that_only_looks_like_a_date_is_not_found(text: str) -> None:
    assert find_dates(text) == []


def test_an_ambiguous_date_is_day_first_unless_a_twelve_hour_clock_follows() -> None:
    (european,) = find_dates("3/10/2025")
    (american,) = find_dates("3/10/2025 9:05 AM")

    assert (european.month, european.day) == (10, 3)
    assert (american.month, american.day) == (3, 10)


def test_signs_of_the_united_states_put_the_month_first() -> None:
    (open_,) = find_dates("3/10/2025")
    (clear,) = find_dates("23/10/2025")

    assert (open_.american().month, open_.american().day) == (3, 10)
    assert clear.american() == clear
    assert resolve([(0, open_)], None, None, american=True) == date(2025, 3, 10)


def test_a_date_without_a_year_is_the_last_such_day() -> None:
    december = FoundDate(0, 1, None, 12, 30)

    assert latest_year(december, date(2026, 1, 4)) == 2025
    assert latest_year(december, date(2025, 12, 30)) == 2025
    assert latest_year(december, date(2025, 12, 29)) == 2025


def test_the_date_with_the_best_rank_is_chosen() -> None:
    dates = [
        (3, FoundDate(0, 1, 2025, 1, 1)),
        (2, FoundDate(0, 1, 2025, 1, 2)),
        (1, FoundDate(0, 1, 2025, 1, 3)),
        (0, FoundDate(0, 1, 2025, 1, 4)),
    ]

    assert resolve(dates, None, None) == date(2025, 1, 4)
    assert resolve(dates[:3], None, None) == date(2025, 1, 3)
    assert resolve([(1, FoundDate(0, 1, None, 1, 5))], None, None) is None
    assert resolve([(1, FoundDate(0, 1, None, 1, 5))], 2020, None) == date(2020, 1, 5)
    assert resolve([], 2020, date(2025, 1, 1)) is None


def test_the_iranian_calendar_agrees_with_known_days() -> None:
    assert from_jalali(1404, 1, 1) == date(2025, 3, 21)
    assert from_jalali(1403, 12, 30) == date(2025, 3, 20)
    assert from_jalali(1399, 1, 1) == date(2020, 3, 20)
    assert from_jalali(1404, 13, 1) is None
    assert from_jalali(1404, 12, 30) is None  # 1404 is no leap year
    assert from_jalali(0, 1, 1) is None


def test_accents_and_capitals_do_not_matter_in_a_month() -> None:
    assert month_number("AOÛT") == month_number("aout") == 8
    assert month_number("report") is None


@pytest.mark.parametrize(
    "text",
    [
        "24 เม.ย. 2573",
        "令和12(2030)年4月24日",
        "4 ارديبهشت 1409",
        "24 نيسان / أبريل 2030",
        "24 أبريل/ نيسان 2030",
        "24 aprile 203010:43  News",
        "BNS2030.04.24 13:44",
    ],
)
def test_a_date_may_have_two_months_or_short_ones_and_a_time_right_behind_the_year(text: str) -> None:
    (found,) = find_dates(text)

    assert found.on(None) == date(2030, 4, 24)


def test_every_pattern_has_a_name_of_its_own() -> None:
    names = [name for name, _, _ in PATTERNS]

    assert len(names) == len(set(names))


@given(st.dates(date(1950, 1, 1), date(2090, 12, 31)))
def test_any_day_is_read_back_from_the_common_shapes(day: date) -> None:
    for text in (
        f"{day:%Y-%m-%d}",
        f"{day:%d %B %Y}",
        f"{day:%b. %d, %Y}",
        f"{day.year}年{day.month}月{day.day}日",
    ):
        (found,) = find_dates(text)

        assert found.on(None) == day


@given(st.text(max_size=300))
def test_any_text_gives_dates_that_do_not_overlap(text: str) -> None:
    found = find_dates(text)

    assert all(first.end <= second.start for first, second in pairwise(found))
