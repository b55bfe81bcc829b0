"""150 lives on SQLite and 50 on PostgreSQL; `make lives` lives many more."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from servers.postgresql import PostgreSQL

from lives.beginnings import postgresql_database, sqlite_database
from lives.machine import Lives, LivesAtOnce

STEPS = 40
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


# Measuring what lines are run makes a life three times as long.
@pytest.mark.lives
@pytest.mark.no_cover
def test_nobody_is_skipped_or_emailed_twice_in_150_lives():
    with sqlite_database() as database:
        Lives.database = database
        run_state_machine_as_test(
            Lives, settings=settings(max_examples=150, stateful_step_count=STEPS, suppress_health_check=QUIET)
        )


@pytest.mark.lives
@pytest.mark.no_cover
def test_nobody_is_skipped_or_emailed_twice_when_two_sessions_take_turns(postgresql: PostgreSQL):
    with postgresql_database(postgresql) as database:
        LivesAtOnce.database = database
        run_state_machine_as_test(
            LivesAtOnce,
            settings=settings(max_examples=50, stateful_step_count=STEPS, suppress_health_check=QUIET),
        )
