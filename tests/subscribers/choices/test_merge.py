"""Topics move to an address that is subscribed already, and come back when that is undone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import House, unsubscribe_from_topic

from newsletter.models import EndedReason, Frequency, Subscriber, Subscription, SubscriptionState
from newsletter.subscribers.choices.merge import find_restorable, lock_people, move_subscriptions, restore

ACTIVE = SubscriptionState.ACTIVE
DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


@pytest.fixture
def two(house: House):
    """Ann, who gets energy and sea daily; Bob, who gets sea weekly. Return their ids, and the topics'."""
    energy, sea = house.topic("energy"), house.topic("sea")
    ann = house.add_subscriber(energy, sea, frequency=DAILY, name="ann")
    return ann, house.add_subscriber(sea, name="bob"), energy, sea


def move(house: House, mover: int, there: int, **more):
    with house.runtime.session() as session:
        lock_people(session, [mover, there])
        people = [session.get_one(Subscriber, each) for each in (mover, there)]
        begun = move_subscriptions(session, *people, "link", house.clock(), **more)
        topics = [row.topic_id for row in begun]
        session.commit()
        return topics


def move_back(house: House, mover: int):
    with house.runtime.session() as session:
        person = session.get_one(Subscriber, mover)
        found = find_restorable(session, person, house.clock() - timedelta(days=1))
        others = restore(session, person, found, house.clock())
        emails = [each.email for each in others]
        session.commit()
        return emails


def active(house: House, person: int):
    rows = [row for row in house.all(Subscription) if row.subscriber_id == person and row.state is ACTIVE]
    return {row.topic_id: row.frequency for row in rows}


def test_the_other_address_gets_the_topics_that_it_lacks_and_keeps_its_own(house: House, two):
    ann, bob, energy, sea = two

    assert move(house, ann, bob) == [energy]

    assert active(house, ann) == {}
    assert active(house, bob) == {energy: DAILY, sea: WEEKLY}
    ended = [row for row in house.all(Subscription) if row.subscriber_id == ann]
    assert {row.ended_reason for row in ended} == {EndedReason.MOVED}


def test_no_release_is_lost_or_sent_twice_by_a_move(house: House, two):
    ann, bob, *_ = two
    sent = house.release("Energy in March")
    house.send(DAILY)
    waiting = house.release("Energy in April")

    move(house, ann, bob)
    house.send(DAILY)

    assert house.releases_sent(ann) == [sent]
    assert house.releases_sent(bob) == [waiting]


def test_a_digest_that_waits_for_the_old_address_goes_to_the_new_one(house: House, two):
    ann, bob, *_ = two
    release = house.release("Energy in March")
    waiting = house.open(DAILY)

    move(house, ann, bob)
    house.send(DAILY)

    assert house.states(waiting) == ["skipped"]
    assert house.recipients() == ["bob@example.org"]
    assert house.releases_sent(bob) == [release]


def test_an_address_that_never_confirmed_takes_over_language_and_hour(house: House, two):
    ann, _, energy, sea = two
    with house.runtime.session() as session:
        session.get_one(Subscriber, ann).language = "lt"
        session.get_one(Subscriber, ann).preferred_hour = 6
        new = house.subscriber("new")
        new.confirmed_at = None
        session.add(new)
        session.commit()
        new_id = new.id

    move(house, ann, new_id)

    person = house.all(Subscriber)[-1]
    assert (person.language, person.preferred_hour, person.confirmed_at) == ("lt", 6, house.clock())
    assert active(house, new_id) == {energy: DAILY, sea: DAILY}


def test_an_undone_move_gives_back_what_moved_and_leaves_the_rest(house: House, two):
    ann, bob, energy, sea = two
    move(house, ann, bob)

    assert move_back(house, ann) == ["bob@example.org"]

    assert active(house, ann) == {energy: DAILY, sea: DAILY}
    assert active(house, bob) == {sea: WEEKLY}


def test_a_topic_that_was_unsubscribed_at_the_new_address_stays_ended(house: House, two):
    ann, bob, energy, sea = two
    move(house, ann, bob)
    unsubscribe_from_topic(house, bob, energy)

    move_back(house, ann)

    assert active(house, ann) == {sea: DAILY}


def test_a_move_through_two_addresses_is_undone_at_the_last_one(house: House, two):
    ann, bob, energy, sea = two
    cat = house.add_subscriber(name="cat")
    move(house, ann, bob)
    move(house, bob, cat)

    assert move_back(house, ann) == ["cat@example.org"]

    assert active(house, ann) == {energy: DAILY, sea: DAILY}
    assert active(house, cat) == {sea: WEEKLY}


def test_a_move_of_long_ago_is_not_restorable(house: House, two):
    ann, bob, *_ = two
    move(house, ann, bob)
    house.clock.pass_(days=2)

    assert move_back(house, ann) == []
    assert active(house, ann) == {}
