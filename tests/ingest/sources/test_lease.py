"""Tests of claiming sources: no two processes have one at the same time, and a killed one gives it back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import NOON, House

from newsletter.ingest.guard import Allowed
from newsletter.ingest.sources.lease import (
    LEASE,
    SourceLeaseLost,
    any_due,
    claim,
    keep_lease,
    release_lease,
)
from newsletter.ingest.sources.manage import add_source, find_source, pause_source, remove_source


def add(house: House, *names: str) -> list[str]:
    made = []
    with house.runtime.session() as session:
        for name in names:
            url = f"https://{name}.example/feed"
            added = add_source(session, url, allowed=Allowed(), actor="ann", now=NOON)
            made.append(added.public_id)
        session.commit()
    return made


def claimed(house: House, limit: int = 9, later: timedelta = timedelta(), **given: object) -> list[str]:
    with house.runtime.session() as session:
        found = claim(session, limit, NOON + later, **given)
        session.commit()
    return [each.request.url.partition("//")[2].partition(".")[0] for each in found]


def test_a_source_is_claimed_once_until_its_lease_ends(either_house: House):
    add(either_house, "a", "b", "c")

    assert claimed(either_house, 2) == ["a", "b"]
    assert claimed(either_house) == ["c"]
    assert claimed(either_house) == []
    assert claimed(either_house, later=LEASE) == ["a", "b", "c"]


def test_two_processes_share_what_is_due_on_postgresql(big_house: House):
    add(big_house, "a", "b", "c")

    with big_house.runtime.session() as first, big_house.runtime.session() as second:
        one = claim(first, 2, NOON)
        two = claim(second, 2, NOON)
        first.commit()
        second.commit()

    assert len({each.id for each in (*one, *two)}) == len(one) + len(two) == 3


def test_paused_slow_and_later_sources_are_left_out(either_house: House):
    paused, slow, later, _ = add(either_house, "paused", "slow", "later", "due")
    with either_house.runtime.session() as session:
        pause_source(session, paused, "ann", NOON)
        find_source(session, slow).is_slow = True
        find_source(session, later).next_at = NOON + timedelta(minutes=1)
        session.commit()

    assert claimed(either_house, slow=False) == ["due"]
    assert claimed(either_house) == ["slow"]
    assert claimed(either_house, only=later) == ["later"]
    assert claimed(either_house, only=paused) == []


def test_a_source_that_is_given_back_is_due_again(either_house: House):
    add(either_house, "a")
    with either_house.runtime.session() as session:
        (one,) = claim(session, 9, NOON)
        assert not any_due(session, NOON)
        release_lease(session, one)
        assert any_due(session, NOON)
        session.commit()


def test_a_process_whose_lease_another_one_took_stores_nothing(either_house: House):
    (public_id,) = add(either_house, "a")
    with either_house.runtime.session() as session:
        (first,) = claim(session, 9, NOON)
        keep_lease(session, first, NOON)
        (second,) = claim(session, 9, NOON + LEASE)

        with pytest.raises(SourceLeaseLost):
            keep_lease(session, first, NOON + LEASE)
        assert keep_lease(session, second, NOON + LEASE).leased_until == NOON + 2 * LEASE
        remove_source(session, public_id, "ann", NOON)
        with pytest.raises(SourceLeaseLost):
            keep_lease(session, second, NOON + LEASE)
