"""A domain with a limit gets its deliveries one after another, and single emails never wait for digests."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from house import House, make_house, make_settings

from newsletter.messages.claimed import load_claimed
from newsletter.models import Delivery, Lane
from newsletter.outbox.lease import claim
from newsletter.outbox.pacing.domain_limits import HOLD_SECONDS, book_domains


@pytest.fixture
def limited(tmp_path):
    """An installation that sends one email a second to slow.example."""
    made = make_house(make_settings(tmp_path, domain_limits="slow.example=1/s"))
    yield made
    made.runtime.engine.dispose()


def claimed_for(house: House, domain: str, count: int):
    """Prepare an issue for subscribers of a domain, and claim all its deliveries."""
    topic = house.topic("energy")
    with house.runtime.session() as session:
        for number in range(count):
            person = house.subscriber(f"p{number}")
            person.email = person.email_key = f"p{number}@{domain}"
            session.add(person)
            session.flush()
            session.add(house.subscription(person.id, topic))
        session.commit()
    house.release("Energy in March")
    issue = house.open()
    with house.runtime.session() as session:
        claim(session, Lane.BULK, issue, "worker-1", 1_000, house.clock())
        session.commit()
        return load_claimed(session, [each.id for each in house.all(Delivery)])


def book(house: House, claimed):
    with house.runtime.session() as session:
        found = book_domains(session, house.runtime.settings, claimed, "worker-1", house.clock())
        session.commit()
        return found


def test_other_domains_are_not_booked(limited: House):
    assert book(limited, claimed_for(limited, "quick.example", 3)) == ({}, set())


def test_deliveries_of_the_domain_get_times_a_second_apart(limited: House):
    claimed = claimed_for(limited, "slow.example", 4)

    times, later = book(limited, claimed)

    waits = [(times[each.id] - limited.clock()).total_seconds() for each in claimed]
    assert later == set()
    assert [after - before for before, after in itertools.pairwise(waits)] == [1, 1, 1]


def test_what_must_wait_too_long_is_queued_again_for_later(limited: House):
    claimed = claimed_for(limited, "slow.example", 40)

    times, later = book(limited, claimed)

    assert len(times) + len(later) == 40
    assert max(times.values()) <= limited.clock() + timedelta(seconds=max(HOLD_SECONDS.values()))
    rows = {each.id: each for each in limited.all(Delivery)}
    assert later
    assert {rows[each].state for each in later} == {"queued"}
    assert all(rows[each].due_at > limited.clock() for each in later)
