"""The token bucket: it allows a burst, then a constant rate, even if the clock is set back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from house import House
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.limits.spend import spend, spend_all
from newsletter.throttle import Bucket, Limit, take

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
FIVE_A_MINUTE = Limit(burst=5, period_seconds=60)


def test_a_burst_is_allowed_and_the_next_request_waits():
    bucket: Bucket | None = None
    waits = []
    for _ in range(6):
        bucket, wait = take(bucket, FIVE_A_MINUTE, NOON)
        waits.append(wait)

    assert waits == [0, 0, 0, 0, 0, 12]


def test_a_retry_after_the_wait_is_allowed():
    empty = Bucket(0.0, NOON)

    _, wait = take(empty, FIVE_A_MINUTE, NOON)

    assert take(empty, FIVE_A_MINUTE, NOON + timedelta(seconds=wait))[1] == 0.0


def test_a_clock_set_back_neither_fills_nor_empties():
    bucket, wait = take(Bucket(2.0, NOON), FIVE_A_MINUTE, NOON - timedelta(hours=1))

    assert wait == 0.0
    assert bucket.level == 1.0


@given(st.lists(st.integers(min_value=0, max_value=30), max_size=80))
def test_never_more_than_a_burst_and_the_rate(gaps: list[int]):
    bucket: Bucket | None = None
    now, let_in = NOON, 0
    for gap in gaps:
        now += timedelta(seconds=gap)
        bucket, wait = take(bucket, FIVE_A_MINUTE, now)
        let_in += wait == 0.0

    assert let_in <= FIVE_A_MINUTE.burst + (now - NOON).total_seconds() * FIVE_A_MINUTE.rate + 1e-6


def test_a_limit_in_the_database_outlives_the_process(either_house: House):
    def ask() -> float:
        with either_house.runtime.session() as session:
            wait = spend(session, "signup:192.0.2.0/24", Limit(2, 60), NOON)
            session.commit()
            return wait

    assert [ask(), ask(), ask()] == [0.0, 0.0, 30.0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    gaps=st.lists(st.integers(min_value=-40, max_value=60), min_size=1, max_size=25),
    floor=st.sampled_from([0.0, 1.0, 2.5]),
)
def test_the_database_counts_as_the_pure_function_does(either_house: House, gaps: list[int], floor: float):
    key, now, bucket = f"compare:{gaps}{floor}"[:160], NOON, None
    with either_house.runtime.session() as session:
        for gap in gaps:
            now += timedelta(seconds=gap)
            expected_bucket, expected = take(bucket, FIVE_A_MINUTE, now, floor)
            found = spend(session, key, FIVE_A_MINUTE, now, floor)
            # A refusal writes nothing, so the time from which the bucket refills stays the same.
            bucket = expected_bucket if not expected else bucket

            assert found == pytest.approx(expected, abs=0.01)
        session.rollback()


def test_a_refusal_by_one_of_several_buckets_takes_no_token_from_the_others(either_house: House):
    limits = {"a": Limit(3, 60), "b": Limit(1, 60)}

    with either_house.runtime.session() as session:
        first = spend_all(session, limits, NOON)
        second = spend_all(session, limits, NOON + timedelta(seconds=6))
        third = spend_all(session, {"a": limits["a"]}, NOON + timedelta(seconds=6))

    assert (first.wait_seconds, dict(first.left)) == (0.0, {"a": 2.0, "b": 0.0})
    assert second.wait_seconds == pytest.approx(54)
    # In six seconds, "a" got 0.3 tokens. Only the third request took one.
    assert third.left["a"] == pytest.approx(2.0 + 0.3 - 1.0)
