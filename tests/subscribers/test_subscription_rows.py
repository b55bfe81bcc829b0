"""Subscription rows: which come back with their old marks, and that a change overwrites none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import House, unsubscribe_from_topic

from newsletter.coverage import UNDO_FOR
from newsletter.models import EndedReason, Frequency, Subscription, SubscriptionState
from newsletter.subscribers import subscription_rows

DAILY = Frequency.DAILY
ACTIVE, PENDING = SubscriptionState.ACTIVE, SubscriptionState.PENDING


@pytest.fixture
def ids(house: House):
    """A subscriber of one topic who was sent one release, and the topic."""
    topic = house.topic("energy")
    subscriber = house.add_subscriber(topic)
    house.release("Energy in March")
    house.send()
    return subscriber, topic


def take_up(house: House, subscriber, topic):
    with house.runtime.session() as session:
        subscription_rows.take_up(session, subscriber, topic, DAILY, house.clock())
        session.commit()


def sequences(house: House):
    return [(row.started_sequence, row.covered_to) for row in house.all(Subscription)]


def test_a_subscription_that_comes_back_in_time_continues_where_it_ended(house: House, ids):
    unsubscribe_from_topic(house, *ids)
    house.release("Energy in April")
    house.clock.pass_(seconds=(UNDO_FOR - timedelta(seconds=1)).total_seconds())

    take_up(house, *ids)

    old, new = sequences(house)
    assert new == old


def test_a_subscription_that_comes_back_too_late_begins_with_new_marks(house: House, ids):
    unsubscribe_from_topic(house, *ids)
    house.release("Energy in April")
    house.clock.pass_(seconds=UNDO_FOR.total_seconds())

    take_up(house, *ids)

    old, new = sequences(house)
    assert new[1] > old[1]


def test_a_subscription_that_ended_otherwise_begins_with_new_marks(house: House, ids):
    subscriber, topic = ids
    with house.runtime.session() as session:
        active = subscription_rows.of_subscriber(session, subscriber, ACTIVE, lock=True)
        subscription_rows.end(session, active, EndedReason.MOVED, house.clock())
        session.commit()
    house.release("Energy in April")

    take_up(house, subscriber, topic)

    old, new = sequences(house)
    assert new[1] > old[1]


def test_a_change_of_frequency_ends_a_row_and_adds_one_with_its_marks(house: House, ids):
    subscriber, _ = ids
    with house.runtime.session() as session:
        (row,) = subscription_rows.of_subscriber(session, subscriber, ACTIVE, lock=True)
        subscription_rows.end(session, [row], EndedReason.CHANGED, house.clock(), delivery_id=7)
        subscription_rows.follow(session, row, DAILY, house.clock())
        session.commit()

    old, new = house.all(Subscription)
    assert (old.state, old.ended_reason, old.ended_delivery_id) == (
        SubscriptionState.ENDED, EndedReason.CHANGED, 7,
    )  # fmt: skip
    assert (new.state, new.frequency, new.confirmed_at) == (ACTIVE, DAILY, old.confirmed_at)
    assert sequences(house)[0] == sequences(house)[1]


def test_rows_come_in_the_order_of_the_topics_and_only_in_the_given_states(house: House):
    sea, energy = house.topic("sea"), house.topic("energy")
    subscriber = house.add_subscriber(energy, sea)
    with house.runtime.session() as session:
        subscription_rows.ask_for(session, subscriber, sea, DAILY, house.clock())
        session.commit()

    with house.runtime.session() as session:
        active = subscription_rows.of_subscriber(session, subscriber, ACTIVE)
        both = subscription_rows.of_subscriber(session, subscriber, ACTIVE, PENDING)

        assert [row.topic.slug for row in active] == ["sea", "energy"]
        assert [row.topic.slug for row in both] == ["sea", "sea", "energy"]
