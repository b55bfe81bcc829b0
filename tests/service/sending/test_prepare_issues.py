"""Open issues are prepared, in order, unless the process has to stop."""

from __future__ import annotations

from datetime import timedelta

from house import House

from newsletter.digest.issues import open_issue
from newsletter.models import Delivery, Frequency, Issue, IssueState, Subscriber
from newsletter.service.sending.prepare_issues import OpenedMeanwhile, any_to_prepare, prepare_issues

WEEKLY = Frequency.WEEKLY


def opened(house: House, title: str, frequency: Frequency = WEEKLY) -> int:
    """Open an issue without preparing it."""
    house.release(title)
    with house.runtime.session() as session:
        issue = open_issue(session, [frequency], actor="test", now=house.clock())
        session.commit()
        return issue.id


def waits(house: House) -> bool:
    with house.runtime.reading() as session:
        return any_to_prepare(session)


def test_every_open_issue_is_prepared(house: House):
    house.add_subscriber(house.topic("energy"))
    assert not prepare_issues(house.runtime, lambda: False)
    opened(house, "Energy in March")
    assert waits(house)

    assert prepare_issues(house.runtime, lambda: False)

    assert not waits(house)
    assert [each.state for each in house.all(Issue)] == [IssueState.SENDING]
    assert len(house.all(Delivery)) == 1


def test_a_process_that_has_to_stop_prepares_nothing_more(house: House):
    house.add_subscriber(house.topic("energy"))
    opened(house, "Energy in March")

    assert prepare_issues(house.runtime, lambda: True)

    assert waits(house)
    assert house.all(Delivery) == []


def test_a_pause_that_has_ended_does_not_keep_the_issue_away(house: House):
    topic = house.topic("energy")
    house.add_subscriber(topic)
    paused = house.add_subscriber(topic)
    with house.runtime.session() as session:
        session.get_one(Subscriber, paused).snoozed_until = house.clock()
        session.commit()
    opened(house, "Energy in March")
    house.clock.pass_(seconds=1)

    prepare_issues(house.runtime, lambda: False)

    assert [each.subscriber_id for each in house.all(Delivery)] == [1, paused]


def test_a_process_that_sends_learns_of_an_issue_opened_meanwhile(house: House):
    seconds = [0.0]
    house.add_subscriber(house.topic("energy"))
    opened(house, "Energy in March")
    opened_meanwhile = OpenedMeanwhile(house.runtime, elapsed=lambda: seconds[0])

    seconds[0] = 2.0
    before = opened_meanwhile()
    opened(house, "Energy in April")
    at_once = opened_meanwhile()
    seconds[0] = 4.0

    assert (before, at_once, opened_meanwhile()) == (False, False, True)
    assert opened_meanwhile()


def test_preparing_ends_when_an_issue_as_it_happens_can_be_sent(house: House):
    topic = house.topic("energy")
    house.add_subscriber(topic, frequency=Frequency.IMMEDIATE)
    house.add_subscriber(topic)
    hurried, weekly = opened(house, "Energy in March", Frequency.IMMEDIATE), opened(house, "Energy in April")

    prepare_issues(house.runtime, lambda: False, stop_after_first=True)

    states = {each.id: each.state for each in house.all(Issue)}
    assert states == {hurried: IssueState.SENDING, weekly: IssueState.PREPARING}
    prepare_issues(house.runtime, lambda: False, stop_after_first=True)
    assert {each.state for each in house.all(Issue)} == {IssueState.SENDING}


def test_what_becomes_due_while_an_issue_is_prepared_is_opened_by_the_same_process(house: House):
    topic = house.topic("energy")
    house.add_subscriber(topic)
    house.add_subscriber(topic, frequency=Frequency.DAILY)
    opened(house, "Energy in March")
    with house.runtime.session() as session:
        later = house.clock() + timedelta(minutes=1)
        planned = open_issue(session, [Frequency.DAILY], actor="test", now=house.clock(), starts_at=later)
        session.commit()
        planned_id = planned.id

    def time_passes() -> bool:
        house.clock.pass_(minutes=2)
        return False

    prepare_issues(house.runtime, time_passes)

    assert {each.id: each.state for each in house.all(Issue)}[planned_id] == IssueState.SENDING
