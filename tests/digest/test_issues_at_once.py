"""Concurrent transactions on PostgreSQL: two issues, or a cancellation, lose or repeat no release."""

from __future__ import annotations

import pytest
from house import House, meanwhile

from newsletter.digest.issues import Preparer, open_issue
from newsletter.models import Frequency, Issue
from newsletter.outbox.control import cancel


def opened(house: House) -> int:
    with house.runtime.session() as session:
        issue_id = open_issue(session, [Frequency.WEEKLY], actor="test", now=house.clock()).id
        session.commit()
        return issue_id


def prepare_a_chunk(house: House, issue_id: int) -> None:
    with house.runtime.session() as session:
        Preparer(house.runtime.renderer, issue_id).step(session, house.clock())
        session.commit()


def test_two_issues_opened_at_once_do_not_bring_a_subscriber_the_same_releases(big_house: House):
    house = big_house
    subscriber = house.add_subscriber(house.topic("energy"))
    cable = house.release("An energy cable")
    first, second = opened(house), opened(house)

    with house.runtime.session() as session:
        Preparer(house.runtime.renderer, first).step(session, house.clock())
        with meanwhile(house, lambda: prepare_a_chunk(house, second)):
            session.commit()
    house.prepare(first)
    house.prepare(second)

    assert house.releases_sent(subscriber) == [cable]
    assert (house.issue_state(first), house.issue_state(second)) == ("sending", "finished")


@pytest.mark.parametrize("newcomer_reads_all", [False, True])
def test_what_a_cancelled_issue_gives_back_is_not_lost_to_one_that_is_being_prepared(
    big_house: House, newcomer_reads_all: bool
):
    house = big_house
    energy = house.topic("energy")
    subscriber = house.add_subscriber(energy)
    cable = house.release("An energy cable")
    cancelled = house.open()
    house.clock.pass_(hours=1)
    if newcomer_reads_all:  # then the catalogue of the next issue begins with the first release
        newcomer = house.add_subscriber()
        with house.runtime.session() as session:
            session.add(house.subscription(newcomer, energy))
            session.commit()
    more = house.release("More energy")
    next_one = opened(house)

    with house.runtime.session() as session:
        cancel(session, session.get_one(Issue, cancelled), "test", house.clock())
        session.flush()
        with meanwhile(house, lambda: prepare_a_chunk(house, next_one)):
            session.commit()
    house.prepare(next_one)
    house.release("Energy again")
    house.open()

    assert house.releases_sent(subscriber)[0] == cable  # of the issue that was cancelled
    assert sorted(house.releases_sent(subscriber)[1:]) == [cable, more, more + 1]
