"""Tests of when a source is fetched next."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import NOON

from newsletter.ingest.sources.schedule import Asked, next_fetch, what_is_asked

QUARTER = timedelta(minutes=15)


NOTHING = Asked()


def wait(
    asked: Asked = NOTHING, *, failures: int = 0, settles: float | None = None, jitter: float = 0
) -> float:
    settles_in = None if settles is None else timedelta(minutes=settles)
    made = next_fetch(NOON, QUARTER, asked, failures=failures, settles_in=settles_in, jitter=jitter)
    return (made - NOON) / timedelta(minutes=1)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def test_the_interval_with_jitter_is_the_rule():
    assert wait() == 15
    assert wait(jitter=1) == pytest.approx(16.5)


def test_each_failure_doubles_the_wait_up_to_six_hours():
    assert [wait(failures=count) for count in (1, 2, 3, 6, 50)] == [15, 30, 60, 360, 360]


def test_a_daily_source_that_fails_is_fetched_daily():
    made = next_fetch(NOON, hours(24), Asked(), failures=9, settles_in=None, jitter=0)

    assert made - NOON == hours(24)


def test_max_age_makes_the_wait_longer_within_bounds_and_never_shorter():
    assert wait(Asked(max_age=hours(1))) == 60
    assert wait(Asked(max_age=hours(500))) == 360
    assert wait(Asked(max_age=timedelta(seconds=1))) == 15


def test_retry_after_is_obeyed_within_a_day_whatever_else_holds():
    assert wait(Asked(retry_after=hours(2)), failures=1) == 120
    assert wait(Asked(retry_after=hours(2)), settles=10) == 120
    assert wait(Asked(retry_after=hours(500))) == 24 * 60
    assert wait(Asked(retry_after=timedelta())) == 15


def test_a_source_with_an_item_that_settles_is_fetched_earlier_although_its_answer_is_fresh():
    assert wait(Asked(max_age=hours(1)), settles=10) == 10
    assert wait(settles=30) == 15
    assert wait(settles=-3) == 1


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ({"cache-control": "public, max-age=3600"}, Asked(max_age=hours(1))),
        ({"cache-control": "max-age=3600, no-cache"}, Asked()),
        ({"cache-control": "x-max-age=3600"}, Asked()),
        ({"retry-after": "120"}, Asked(retry_after=timedelta(minutes=2))),
        ({"retry-after": "Tue, 10 Mar 2026 13:00:00 GMT"}, Asked(retry_after=hours(1))),
        ({"retry-after": "Tue, 10 Mar 2026 11:00:00 GMT"}, Asked(retry_after=timedelta())),
        ({"retry-after": "soon"}, Asked()),
        ({}, Asked()),
    ],
)
def test_what_the_server_asks_is_read(headers, asked):
    assert what_is_asked(headers, NOON) == asked
