"""Rate limits of a relay: never exceeded, even if the clock is set back."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.outbox.pacing.pace import (
    ONE_OUTAGE,
    QUIET,
    ROUND_TRIP,
    SKEW,
    SLOWEST,
    Booking,
    Learnt,
    Limits,
    Standing,
    book,
    fail,
    from_state,
    give_back,
    pace_of,
    recovered,
    slow_down,
    spread,
    to_state,
)
from newsletter.outbox.pacing.sending_window import is_open, opens_at
from newsletter.outbox.pacing.setup_refusals import Refusals
from newsletter.settings import SendingWindow, load_settings

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
VILNIUS = ZoneInfo("Europe/Vilnius")
FRESH = Standing(NOON)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def window(text: str) -> SendingWindow:
    settings = load_settings(
        {
            "NEWSLETTER_PUBLIC_URL": "https://news.example.org",
            "NEWSLETTER_SECRET_KEYS": "a-key-for-tests-that-is-long-enough-to-be-one",
            "NEWSLETTER_FROM_ADDRESS": "letter@example.org",
            "NEWSLETTER_POSTAL_ADDRESS": "Harbour Road 1",
            "NEWSLETTER_RELAY": "smtp://127.0.0.1",
            "NEWSLETTER_SENDING_WINDOW": text,
        }
    )
    assert settings.sending_window is not None
    return settings.sending_window


def times(booking: Booking, now: float) -> list[float]:
    return [now + booking.wait_seconds + index * booking.interval_seconds for index in range(booking.count)]


def most_in(moments: list[float], span: float) -> int:
    """Return the largest number of the sorted `moments` in any period of `span` seconds."""
    most = start = 0
    for end, moment in enumerate(moments):
        while moments[start] <= moment - span:
            start += 1
        most = max(most, end - start + 1)
    return most


bookings = st.lists(
    # Seconds since the last booking, how many are wanted, how many of them are given back.
    st.tuples(st.floats(0, 3, allow_nan=False), st.integers(1, 40), st.integers(0, 10)),
    min_size=1,
    max_size=60,
)


@given(bookings, st.sampled_from([0.5, 1, 3, 7, 50, 333]))
def test_no_second_holds_more_than_its_limit_whoever_books(steps, per_second):
    standing, elapsed, sent = FRESH, 0.0, []
    for gap, wanted, unused in steps:
        elapsed += gap
        now = NOON + seconds(elapsed)
        standing, booking = book(standing, Limits(per_second), wanted, now, ahead_seconds=1)
        used = max(0, booking.count - unused)
        standing = give_back(standing, booking, booking.count - used, now)
        sent += times(booking, elapsed)[:used]

    # The timetable is in microseconds.
    assert most_in(sorted(sent), 1 - 1e-5) <= max(1, math.ceil(per_second))


@given(
    st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 60)), min_size=1, max_size=60),
    st.integers(1, 100),
    st.sampled_from([1.0, 0.95, 0.85]),
)
def test_no_hour_and_no_day_holds_more_than_its_limit(steps, per_hour, share):
    limits = Limits(per_hour=per_hour, per_day=3 * per_hour)
    standing, elapsed, sent = FRESH, 0, []
    for gap, wanted in steps:
        elapsed += gap
        standing, booking = book(
            standing, limits, wanted, NOON + seconds(elapsed), ahead_seconds=1, share=share
        )
        sent += [float(elapsed)] * booking.count

    assert most_in(sent, 3600) <= max(1, per_hour * share)
    assert most_in(sent, 86_400) <= max(1, 3 * per_hour * share)


@given(st.integers(1, 50), st.integers(0, 7200))
def test_a_process_that_comes_back_when_told_can_book(per_hour, first):
    limits = Limits(per_hour=per_hour)
    now = NOON + seconds(first)
    standing, _ = book(FRESH, limits, per_hour, now, ahead_seconds=1)

    standing, refused = book(standing, limits, 1, now, ahead_seconds=1)
    _, granted = book(standing, limits, 1, now + seconds(refused.wait_seconds), ahead_seconds=1)

    assert refused.count == 0
    assert 3600 <= refused.wait_seconds <= 3600 + 3 * 60
    assert granted.count == 1


@given(bookings, st.integers(1, 59), st.sampled_from([1, 7, 50]), st.integers(31, 7200))
def test_a_clock_set_back_neither_stalls_nor_bursts(steps, jump_at, per_second, jump):
    limits = Limits(per_second, per_hour=500)
    standing, elapsed, sent = FRESH, 0.0, []
    for index, (gap, wanted, _) in enumerate(steps):
        elapsed += gap
        off = jump if index >= jump_at else 0
        standing, booking = book(standing, limits, wanted, NOON + seconds(elapsed - off), ahead_seconds=1)
        sent += times(booking, elapsed)
        if not booking.count:
            # The wait is as long as without the change of the clock, and earlier messages still count.
            assert booking.wait_seconds <= (3 * 60 + 3600 if len(sent) >= 500 else 1 + 3 + 40 / per_second)

    assert most_in(sorted(sent), 1 - 1e-5) <= per_second
    assert len(sent) <= 500


def test_hosts_whose_clocks_differ_a_little_share_one_timetable():
    standing, sent = FRESH, []
    for turn in range(200):
        off = 2.0 if turn % 2 else 0.0
        elapsed = turn * 0.01
        standing, booking = book(standing, Limits(10), 5, NOON + seconds(elapsed + off), ahead_seconds=1)
        sent += times(booking, 0)

    assert len(sent) <= 10 * (2 + 2 + 1) + 1
    assert seconds(2) < SKEW


def test_booking_of_two_processes_do_not_overlap():
    standing, first = book(FRESH, Limits(10), 5, NOON, ahead_seconds=1)
    standing, second = book(standing, Limits(10), 5, NOON, ahead_seconds=1)
    _, third = book(standing, Limits(10), 5, NOON, ahead_seconds=0.9)

    assert times(first, 0) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert times(second, 0) == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9])
    assert (third.count, third.wait_seconds) == (0, 1.0)


def test_a_booking_that_was_given_back_can_be_used_by_the_next():
    limits = Limits(per_second=10, per_hour=10)
    standing, booking = book(FRESH, limits, 10, NOON, ahead_seconds=1)
    assert book(standing, limits, 1, NOON, ahead_seconds=5)[1].count == 0

    standing = give_back(standing, booking, 7, NOON)
    _, again = book(standing, limits, 10, NOON, ahead_seconds=1)

    assert again.count == 7
    assert again.wait_seconds == pytest.approx(0.3, abs=1e-5)


def test_without_limits_there_is_no_waiting():
    standing, booking = book(FRESH, Limits(), 500, NOON, ahead_seconds=1)

    assert (booking.count, booking.wait_seconds, booking.interval_seconds) == (500, 0.0, 0.0)
    assert to_state(standing) == {}


def test_a_share_of_the_limit_leaves_the_rest_to_larger_shares():
    limits = Limits(per_hour=100)
    standing, smaller = book(FRESH, limits, 500, NOON, ahead_seconds=1, share=0.85)
    standing, larger = book(standing, limits, 500, NOON, ahead_seconds=1, share=0.95)
    _, whole = book(standing, limits, 500, NOON, ahead_seconds=1)

    assert (smaller.count, larger.count, whole.count) == (85, 10, 5)


def test_a_slow_down_halves_the_pace_once_a_round_trip():
    limits = Limits(per_second=20)
    slowed = slow_down(FRESH, limits, 20, NOON)
    again = slow_down(slowed, limits, 20, NOON + seconds(3))
    later = slow_down(again, limits, 10, NOON + ROUND_TRIP)

    assert pace_of(slowed, limits, NOON) == 10
    assert again.learnt == slowed.learnt
    assert pace_of(later, limits, NOON + ROUND_TRIP) == 5


def test_a_pace_never_falls_below_the_slowest():
    limits, standing, now = Limits(per_second=20), FRESH, NOON
    for _ in range(30):
        standing = slow_down(standing, limits, None, now)
        now += ROUND_TRIP

    assert pace_of(standing, limits, now) == SLOWEST
    crawling = slow_down(FRESH, Limits(per_second=0.1), 0.1, NOON)
    assert pace_of(crawling, Limits(per_second=0.1), NOON) == 0.1


def test_quiet_raises_the_pace_step_by_step_up_to_the_limit():
    limits = Limits(per_second=20)
    standing = slow_down(FRESH, limits, 20, NOON)

    paces = [pace_of(standing, limits, NOON + QUIET * quiet) for quiet in range(7)]

    assert paces == [10, 12, 14, 16, 18, 20, 20]


def test_a_relay_without_a_limit_is_slowed_from_the_rate_it_had_and_set_free_again():
    standing = slow_down(FRESH, Limits(), 300, NOON)

    assert pace_of(standing, Limits(), NOON) == 150
    assert pace_of(standing, Limits(), NOON + QUIET * 10) == 450
    assert pace_of(standing, Limits(), NOON + QUIET * 15) is None


@given(st.integers(0, 10_000))
def test_a_pace_learnt_before_the_clock_was_set_back_still_rises(jump):
    limits = Limits(per_second=20)
    standing = slow_down(FRESH, limits, 20, NOON)
    back = NOON - seconds(jump)
    standing, _ = book(standing, limits, 1, back, ahead_seconds=1)

    assert pace_of(standing, limits, back) == 10
    assert pace_of(standing, limits, back + SKEW + 5 * QUIET) == 20


def test_rows_that_wait_for_a_domain_are_spread_at_its_pace_behind_each_other():
    standing, first = spread(FRESH, 2.0, 3, NOON)
    _, second = spread(standing, 2.0, 2, NOON)

    assert [(due - NOON).total_seconds() for due in first + second] == [0, 0.5, 1, 1.5, 2]


def test_an_outage_is_measured_from_its_first_failure():
    standing, at_once = fail(FRESH, NOON)
    standing, later = fail(standing, NOON + timedelta(minutes=9))
    _, another = fail(recovered(standing), NOON + timedelta(minutes=12))
    _, much_later = fail(standing, NOON + timedelta(minutes=9) + ONE_OUTAGE + seconds(1))

    assert at_once == timedelta()
    assert later == timedelta(minutes=9)
    assert another == timedelta()
    assert much_later == timedelta()


@given(bookings)
def test_what_is_stored_comes_back_the_same(steps):
    limits = Limits(5, 1000, 5000)
    standing = slow_down(FRESH, limits, 5, NOON)
    for gap, wanted, _ in steps:
        standing, _ = book(standing, limits, wanted, standing.seen_at + seconds(gap), ahead_seconds=1)
    standing, _ = fail(spread(standing, 3.0, 2, standing.seen_at)[0], standing.seen_at)

    assert from_state(to_state(standing), standing.seen_at) == standing


def test_every_value_of_a_standing_is_stored_and_an_empty_one_needs_no_room():
    later = [NOON + timedelta(minutes=number, microseconds=number) for number in range(1, 9)]
    refused = Refusals("sender", "no", "hash", 3, later[0], later[1], 2, later[2], (4, 5))
    standing = Standing(
        NOON, timedelta(seconds=-7, microseconds=3), later[3], later[4], ((1, 2), (3, 4)), ((5, 6),),
        Learnt(2.5, 5.0, later[5]), later[6], later[7], refused, later[0],
    )  # fmt: skip

    # Databases return lists where tuples were stored.
    stored = json.loads(json.dumps(to_state(standing)))

    assert from_state(stored, NOON) == standing
    assert to_state(FRESH) == {}
    assert from_state({}, NOON) == FRESH


def test_after_a_recovery_neither_failure_of_the_outage_is_known():
    failed, _ = fail(FRESH, NOON)

    assert (failed.down_since, failed.down_at) == (NOON, NOON)
    assert recovered(failed) == FRESH


def test_a_row_that_an_earlier_version_stored_is_read():
    micros = int(NOON.timestamp()) * 1_000_000
    slot = int(NOON.timestamp()) // 60
    state = {"hour": [[slot, 3]], "next_at": micros, "learnt": [5.0, 10.0, micros]}

    standing = from_state(state, NOON)

    assert standing == Standing(NOON, next_at=NOON, hour=((slot, 3),), learnt=Learnt(5.0, 10.0, NOON))


def test_after_the_clock_was_set_back_deliveries_are_due_by_the_clock():
    hour = timedelta(hours=1)
    standing, _ = book(FRESH, Limits(2.0), 1, NOON, ahead_seconds=1)

    _, due = spread(standing, 2.0, 2, NOON - hour)

    assert due == [NOON - hour + seconds(0.5), NOON - hour + seconds(1)]


OFFICE = "Mo-Fr 08:00-18:00 Europe/Vilnius"


@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        (OFFICE, "2026-03-10 05:59", False),  # a Tuesday; Vilnius is two hours ahead
        (OFFICE, "2026-03-10 06:00", True),
        (OFFICE, "2026-03-10 15:59", True),
        (OFFICE, "2026-03-10 16:00", False),
        (OFFICE, "2026-03-14 10:00", False),  # a Saturday
        (OFFICE, "2026-07-07 05:00", True),  # summer time: three hours ahead
        (OFFICE, "2026-07-07 15:00", False),
        ("22:00-06:00 UTC", "2026-03-10 23:30", True),
        ("22:00-06:00 UTC", "2026-03-10 05:59", True),
        ("22:00-06:00 UTC", "2026-03-10 06:00", False),
        ("Fr 22:00-06:00 UTC", "2026-03-14 03:00", True),  # Friday's night is Saturday's morning
        ("Fr 22:00-06:00 UTC", "2026-03-13 03:00", False),
        ("Sa-Mo 00:00-24:00 UTC", "2026-03-16 23:59", True),
        ("Sa-Mo 00:00-24:00 UTC", "2026-03-17 00:00", False),
        ("Mo 08:00-09:00, Tu 10:00-11:00", "2026-03-10 08:30", True),  # in the newsletter's own zone
    ],
)
def test_a_window_is_open_by_the_clock_on_the_wall_there(text, moment, expected):
    assert is_open(window(text), VILNIUS, datetime.fromisoformat(moment).replace(tzinfo=UTC)) is expected


def test_without_a_window_every_hour_is_open():
    assert is_open(None, VILNIUS, NOON)


@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        (OFFICE, "2026-03-10 16:00", "2026-03-11 06:00"),
        (OFFICE, "2026-03-13 16:00", "2026-03-16 06:00"),  # from Friday to Monday
        (OFFICE, "2026-03-27 16:00", "2026-03-30 05:00"),  # summer time begins in between
        (OFFICE, "2026-10-23 15:00", "2026-10-26 06:00"),  # and ends
        # 03:30 is not shown on the wall that day: it goes from 03:00 to 04:00, at 01:00 UTC.
        ("03:30-05:00 Europe/Vilnius", "2026-03-29 00:30", "2026-03-29 01:00"),
        # Summer time ends that day, and 03:30 comes twice. The window opens at the first 03:30, closes
        # when the clock goes back to 03:00, and opens again at the second 03:30.
        ("03:30-05:00 Europe/Vilnius", "2026-10-25 00:00", "2026-10-25 00:30"),
        ("03:30-05:00 Europe/Vilnius", "2026-10-25 01:10", "2026-10-25 01:30"),
        ("Mo 08:00-08:01 UTC", "2026-03-10 12:00", "2026-03-16 08:00"),
    ],
)
def test_it_is_known_when_a_window_opens_next(text, moment, expected):
    found = opens_at(window(text), VILNIUS, datetime.fromisoformat(moment).replace(tzinfo=UTC))

    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.sampled_from([OFFICE, "02:30-03:30 Europe/Berlin", "Su 23:30-00:30 America/New_York"]),
)
def test_what_is_closed_opens_when_it_says_and_not_before(moment, text):
    hours = window(text)
    found = opens_at(hours, VILNIUS, moment)

    assert is_open(hours, VILNIUS, found)
    if found > moment:
        middle = moment + (found - moment) / 2
        assert not is_open(hours, VILNIUS, moment)
        assert not is_open(hours, VILNIUS, middle)
        assert not is_open(hours, VILNIUS, found - seconds(1))
