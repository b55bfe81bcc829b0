"""Pending subscriptions: which request is new, what it adds, and which email names it."""

from __future__ import annotations

import pytest
from house import House

from newsletter.models import Delivery, EndedReason, Frequency, Subscription, SubscriptionState
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.signup.pending import add_pending, is_news, send_confirmation

DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


@pytest.fixture
def ids(house: House):
    """A subscriber who gets "energy" weekly, and the ids of two topics."""
    energy, sea = house.topic("energy"), house.topic("sea")
    return house.add_subscriber(energy), energy, sea


def stored(house: House):
    return [(row.topic_id, row.frequency, row.state, row.ended_reason) for row in house.all(Subscription)]


def add(house: House, subscriber, wanted):
    with house.runtime.session() as session:
        add_pending(session, subscriber, wanted, house.clock())
        session.commit()


def test_only_another_topic_or_frequency_is_news(house: House, ids):
    subscriber, energy, sea = ids

    with house.runtime.session() as session:
        assert not is_news(session, subscriber, {energy: WEEKLY})
        assert is_news(session, subscriber, {energy: DAILY})
        assert is_news(session, subscriber, {energy: WEEKLY, sea: WEEKLY})
        assert not is_news(session, subscriber, {})


def test_a_topic_that_is_active_with_that_frequency_gets_no_pending_row(house: House, ids):
    subscriber, energy, sea = ids

    add(house, subscriber, {energy: WEEKLY, sea: DAILY})

    assert stored(house) == [
        (energy, WEEKLY, SubscriptionState.ACTIVE, None),
        (sea, DAILY, SubscriptionState.PENDING, None),
    ]


def test_a_new_request_replaces_a_pending_one_with_another_frequency(house: House, ids):
    subscriber, _, sea = ids
    add(house, subscriber, {sea: DAILY})

    add(house, subscriber, {sea: DAILY})
    add(house, subscriber, {sea: WEEKLY})

    assert stored(house)[1:] == [
        (sea, DAILY, SubscriptionState.ENDED, EndedReason.CHANGED),
        (sea, WEEKLY, SubscriptionState.PENDING, None),
    ]


def test_a_request_for_the_active_frequency_only_ends_the_pending_change(house: House, ids):
    subscriber, energy, _ = ids
    add(house, subscriber, {energy: DAILY})

    add(house, subscriber, {energy: WEEKLY})

    assert stored(house) == [
        (energy, WEEKLY, SubscriptionState.ACTIVE, None),
        (energy, DAILY, SubscriptionState.ENDED, EndedReason.CHANGED),
    ]


def test_the_confirmation_names_the_topics_and_is_sent_once(house: House, ids):
    subscriber, energy, sea = ids
    add(house, subscriber, {energy: DAILY, sea: DAILY})

    with house.runtime.session() as session:
        pending = subscription_rows.of_subscriber(session, subscriber, SubscriptionState.PENDING)
        person = pending[0].subscriber
        done = [send_confirmation(session, person, pending, "confirm:1", house.clock()) for _ in range(2)]
        session.commit()
        newest = max(row.id for row in pending)

    assert done == [True, False]
    (delivery,) = house.all(Delivery)
    assert delivery.template == "confirm"
    assert delivery.context == {"topics": ["Energy", "Sea"], "upto": newest, "subscribed": True}
