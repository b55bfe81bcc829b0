"""Rules that stop subscribers: no issue is prepared for them, and the end is like that of a pause."""

from __future__ import annotations

import pytest
from house import House

from newsletter.address_rules.pattern import parse_pattern
from newsletter.address_rules.rules import add_rule, list_rules
from newsletter.errors import NotFound
from newsletter.models import RuleKind, StoppedSubscriber, Subscriber
from newsletter.subscribers.suppressions.end_rule import end_rule
from newsletter.suppression import forget_subscriber

PATTERN = parse_pattern("ann*@example.org")


def add(house: House, kind: RuleKind = RuleKind.NEVER_MAILED) -> None:
    with house.runtime.session() as session:
        add_rule(session, PATTERN, kind, "", "owner", house.clock())
        session.commit()


def end(house: House, newest: int = 5) -> int:
    counts = [0]
    with house.runtime.session() as session:
        for count in end_rule(session, PATTERN, "owner", house.clock(), newest):
            session.commit()
            counts.append(count)
    return counts[-1]


def test_no_email_is_prepared_while_the_rule_exists_and_the_newest_releases_come_afterwards(house: House):
    topic = house.topic("energy")
    ann = house.add_subscriber(topic, name="ann")
    house.add_subscriber(topic, name="bob")
    add(house)
    releases = [house.release(f"Energy {number}") for number in range(7)]
    house.send()
    assert house.releases_sent(ann) == []

    assert end(house, newest=3) == 1

    house.send()
    assert sorted(house.releases_sent(ann)) == releases[4:]
    with pytest.raises(NotFound):
        end(house)


def test_only_a_rule_against_emails_stops_present_subscribers(either_house: House):
    either_house.add_subscriber(either_house.topic("energy"), name="ann")

    add(either_house, RuleKind.NEVER_ACCEPTED)

    assert either_house.all(StoppedSubscriber) == []
    assert end(either_house) == 0


def test_a_person_with_another_address_is_not_stopped_any_more(either_house: House):
    either_house.add_subscriber(either_house.topic("energy"), name="ann")
    add(either_house)
    (ann,) = either_house.all(Subscriber)
    assert [each.subscriber_id for each in either_house.all(StoppedSubscriber)] == [ann.id]

    with either_house.runtime.session() as session:
        forget_subscriber(session, ann.id)
        session.commit()

    assert either_house.all(StoppedSubscriber) == []
    assert end(either_house) == 0
    with either_house.runtime.session() as session:
        assert list_rules(session) == []
