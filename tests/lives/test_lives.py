"""Run 150 random lives on SQLite and 50 on PostgreSQL; `make lives` runs many more."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from servers.postgresql import PostgreSQL

from lives.beginnings import postgresql_database, sqlite_database
from lives.machine import Lives, LivesAtOnce

STEPS = 40
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
# In parts, which can run side by side.
SQLITE_PARTS, POSTGRESQL_PARTS = 3, 2
LIVES_OF_A_PART = {"sqlite": 150 // SQLITE_PARTS, "postgresql": 50 // POSTGRESQL_PARTS}


# Measuring coverage makes a life three times as slow.
@pytest.mark.no_cover
@pytest.mark.parametrize("part", range(SQLITE_PARTS))
def test_nobody_is_skipped_or_emailed_twice_in_150_lives(part: int):
    with sqlite_database() as database:
        Lives.database = database

        assert live(Lives, "sqlite", part) >= LIVES_OF_A_PART["sqlite"]


@pytest.mark.no_cover
@pytest.mark.parametrize("part", range(POSTGRESQL_PARTS))
def test_nobody_is_skipped_or_emailed_twice_when_two_sessions_take_turns(postgresql: PostgreSQL, part: int):
    with postgresql_database(postgresql) as database:
        LivesAtOnce.database = database

        assert live(LivesAtOnce, "postgresql", part) >= LIVES_OF_A_PART["postgresql"]


def live(machine: type[Lives], kind: str, part: int) -> int:
    """Live the lives of one part, and return how many ended with no rule broken.

    They are the same ones in each run, so that a change is to blame if one breaks a rule. That life raises
    AssertionError with its story.
    """
    before = machine.tally["lives"]
    chosen = settings(
        max_examples=LIVES_OF_A_PART[kind],
        stateful_step_count=STEPS,
        suppress_health_check=QUIET,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(seed(part)(machine), settings=chosen)
    return machine.tally["lives"] - before
