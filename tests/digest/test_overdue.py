"""An issue is overdue when a ready release waits longer than its subscribers' frequency promises."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import House, edit_release

from newsletter.digest.overdue import GRACE, INTERVALS, Overdue, count_waiting, find_overdue
from newsletter.models import FIRST_NEWSLETTER, Frequency, Issue, Subscriber
from newsletter.outbox import control
from newsletter.releases.editing.edit import ReleaseAction

DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


@pytest.fixture
def topic(house: House) -> int:
    """A topic with a daily subscriber."""
    made = house.topic("energy")
    house.add_subscriber(made, frequency=DAILY)
    return made


def wait(house: House, frequency: Frequency, **more: float) -> None:
    """Let the interval of a frequency and its grace pass, and `more`."""
    house.clock.moment += INTERVALS[frequency] + GRACE + timedelta(**more)


def overdue(house: House) -> list[Overdue]:
    with house.runtime.reading() as session:
        return find_overdue(session, house.clock())


def waiting(house: House) -> int:
    with house.runtime.reading() as session:
        return count_waiting(session)


def test_an_issue_is_overdue_once_the_interval_and_its_grace_are_over(house: House, topic):
    house.release("Energy in March")
    wait(house, DAILY, seconds=-1)
    assert overdue(house) == []

    house.clock.pass_(seconds=1)

    assert overdue(house) == [Overdue(FIRST_NEWSLETTER, DAILY, 1)]


def test_each_frequency_counts_what_its_own_issues_did_not_bring(house: House, topic):
    house.add_subscriber(topic, frequency=WEEKLY)
    house.release("Energy in March")
    house.send(DAILY)
    house.release("Energy in April")
    wait(house, WEEKLY)

    assert overdue(house) == [Overdue(FIRST_NEWSLETTER, DAILY, 1), Overdue(FIRST_NEWSLETTER, WEEKLY, 2)]
    assert waiting(house) == 2


def test_nothing_is_overdue_after_the_issue(house: House, topic):
    house.release("Energy in March")
    wait(house, DAILY)
    assert waiting(house) == 1

    house.send(DAILY)

    assert overdue(house) == []
    assert waiting(house) == 0


def test_a_release_that_is_held_or_that_nobody_should_get_is_not_overdue(house: House, topic):
    house.topic("sea")
    house.release("A sea wave")
    held = house.release("Energy in March")
    edit_release(house, held, ReleaseAction.HOLD)
    wait(house, DAILY)

    assert overdue(house) == []


def test_the_wait_of_a_release_that_was_held_begins_when_it_is_ready_again(house: House, topic):
    held = house.release("Energy in March")
    edit_release(house, held, ReleaseAction.HOLD)
    wait(house, DAILY)
    edit_release(house, held, ReleaseAction.READY)
    assert overdue(house) == []

    wait(house, DAILY, seconds=1)

    assert overdue(house) == [Overdue(FIRST_NEWSLETTER, DAILY, 1)]


def test_people_who_pause_or_subscribed_later_wait_for_nothing(house: House, topic):
    house.release("Energy in March")
    with house.runtime.session() as session:
        session.query(Subscriber).one().snoozed_until = house.clock() + timedelta(days=30)
        session.commit()
    house.add_subscriber(topic, frequency=DAILY)
    wait(house, DAILY)

    assert overdue(house) == []


@pytest.fixture
def second(either_house: House) -> int:
    """A second newsletter; a release about energy at sea is in both."""
    newsletter = either_house.newsletter("harbour")
    energy = either_house.topic("energy")
    sea = either_house.topic("sea", newsletter=newsletter)
    either_house.add_subscriber(energy, frequency=DAILY)
    either_house.add_subscriber(sea, frequency=WEEKLY)
    either_house.release("Energy from the sea")
    return newsletter


def test_each_newsletter_and_frequency_has_its_own_interval(either_house: House, second: int):
    wait(either_house, DAILY)
    assert overdue(either_house) == [Overdue(FIRST_NEWSLETTER, DAILY, 1)]

    wait(either_house, WEEKLY)

    assert overdue(either_house) == [Overdue(FIRST_NEWSLETTER, DAILY, 1), Overdue(second, WEEKLY, 1)]


def test_an_issue_of_one_newsletter_leaves_the_other_overdue(either_house: House, second: int):
    wait(either_house, WEEKLY)

    either_house.send(DAILY)

    assert overdue(either_house) == [Overdue(second, WEEKLY, 1)]
    assert waiting(either_house) == 1
    either_house.send(WEEKLY, newsletter=second)
    assert overdue(either_house) == []
    assert waiting(either_house) == 0


def test_a_release_of_two_newsletters_is_counted_once_as_waiting(either_house: House, second: int):
    assert waiting(either_house) == 1

    either_house.release("A whale in the sea")

    assert waiting(either_house) == 2


@pytest.mark.parametrize("drop", [True, False])
def test_dropped_releases_are_not_overdue(house: House, topic, drop: bool):
    house.release("Energy in March")
    issue_id = house.open(DAILY)
    with house.runtime.session() as session:
        control.cancel(session, session.get_one(Issue, issue_id), "test", house.clock(), drop=drop)
        session.commit()

    wait(house, DAILY)

    assert bool(overdue(house)) is bool(waiting(house)) is not drop
