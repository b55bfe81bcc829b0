"""Deliveries that were not sent end, and their releases wait for the next issue again."""

from __future__ import annotations

import pytest
from house import House

from newsletter.models import Delivery, DeliveryState, Lane
from newsletter.outbox.lease import claim
from newsletter.outbox.unsent import WAITING, end_unsent, parts_of


@pytest.fixture
def issue(house: House):
    """An issue that is prepared for three subscribers; nothing is sent."""
    topic = house.topic("energy")
    for _ in range(3):
        house.add_subscriber(topic)
    house.release("Energy in March")
    return house.open()


def end_all(house: House, issue):
    with house.runtime.session() as session:
        parts = list(parts_of(session, issue, WAITING))
        done = sum(end_unsent(session, part, DeliveryState.CANCELLED, house.clock()) for part in parts)
        session.commit()
        return done


def test_all_waiting_deliveries_end_and_their_releases_are_sent_with_the_next_issue(house: House, issue):
    assert end_all(house, issue) == 3
    assert house.states(issue) == ["cancelled"] * 3
    assert {each.settled_at for each in house.all(Delivery)} == {house.clock()}

    house.release("Energy in April")
    following = house.open()
    house.drain()

    assert house.states(following) == ["accepted"] * 3
    assert len(house.releases_sent(1)) == 3  # March twice: in the cancelled issue, and again


def test_a_delivery_that_a_worker_has_claimed_meanwhile_is_left_to_it(house: House, issue):
    with house.runtime.session() as session:
        parts = list(parts_of(session, issue, WAITING))
        claim(session, Lane.BULK, issue, "worker-1", 1, house.clock())
        done = end_unsent(session, parts[0], DeliveryState.CANCELLED, house.clock())
        session.commit()

    assert done == 2
    assert sorted(house.states(issue)) == ["cancelled", "cancelled", "leased"]


def test_only_deliveries_in_the_given_states_and_under_the_condition_are_found(house: House, issue):
    first = house.all(Delivery)[0]

    with house.runtime.session() as session:
        none = list(parts_of(session, issue, [DeliveryState.ACCEPTED]))
        one = list(parts_of(session, issue, WAITING, Delivery.id == first.id))

    assert none == []
    assert [[row[:2] for row in part] for part in one] == [[(first.id, first.subscriber_id)]]
