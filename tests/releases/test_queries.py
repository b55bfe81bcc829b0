"""Who has a release by email, before it is held or excluded."""

from __future__ import annotations

import pytest
from house import House, edit_release
from sqlalchemy import select, update

from newsletter.errors import NotFound
from newsletter.models import Delivery, DeliveryState, Issue, Release, ReleaseState
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.queries import Recipients, count_recipients, find_seen


def set_states(house: House, issue_id: int, *states: DeliveryState) -> None:
    with house.runtime.session() as session:
        rows = session.scalars(select(Delivery.id).where(Delivery.issue_id == issue_id).order_by(Delivery.id))
        for row, state in zip(rows.all(), states, strict=True):
            session.execute(update(Delivery).where(Delivery.id == row).values(state=state))
        session.commit()


def recipients(house: House, release: int) -> Recipients:
    with house.runtime.reading() as session:
        return count_recipients(session, release)


def test_people_are_counted_by_what_becomes_of_their_email(either_house: House):
    house = either_house
    energy = house.topic("energy")
    for _ in range(8):
        house.add_subscriber(energy)
    cable = house.release("A new energy cable")
    issue_id = house.open()
    assert recipients(house, cable) == Recipients(0, 0, 8)

    set_states(house, issue_id, *DeliveryState)

    # Accepted and uncertain ones have it, queued and deferred ones wait. The others never get it.
    assert recipients(house, cable) == Recipients(have=2, sending=1, waiting=2)


def test_only_emails_with_this_release_count(either_house: House):
    house = either_house
    energy, sea = house.topic("energy"), house.topic("sea")
    house.add_subscriber(energy)
    house.add_subscriber(sea)
    house.add_subscriber(sea, energy)
    made = [house.release(f"An energy plant number {number}") for number in range(11)]
    whale = house.release("A whale in the sea")
    house.send()
    assert recipients(house, whale) == Recipients(2, 0, 0)

    assert [recipients(house, each) for each in (made[0], made[10])] == [Recipients(2, 0, 0)] * 2
    assert recipients(house, 1_000) == Recipients(0, 0, 0)


def test_the_corrected_text_of_a_release_counts_as_the_release(house: House):
    house.add_subscriber(house.topic("energy"))
    cable = house.release("A new energy cable")
    issue_id = house.open()
    with house.runtime.session() as session:
        delivery = session.scalars(select(Delivery).where(Delivery.issue_id == issue_id)).one()
        from newsletter.messages.digests.renditions import store_renditions

        store_renditions(session, issue_id, {delivery.id: f"1w:{cable}.2"})
        session.commit()

    assert recipients(house, cable) == Recipients(0, 0, 1)


def test_tests_do_not_count(house: House):
    house.add_subscriber(house.topic("energy"))
    cable = house.release("A new energy cable")
    issue_id = house.open()
    with house.runtime.session() as session:
        session.get_one(Issue, issue_id).is_test = True
        session.commit()

    assert recipients(house, cable) == Recipients(0, 0, 0)


def test_only_a_ready_release_that_was_public_or_mailed_has_been_seen(house: House):
    house.add_subscriber(house.topic("energy"))
    secret = house.release("An energy secret", state=ReleaseState.HELD)
    cable = house.release("A new energy cable")
    with house.runtime.session() as session:
        ids = {each.id: each.public_id for each in session.scalars(select(Release))}
        assert find_seen(session, ids[secret]) is None
        found, counted = find_seen(session, ids[cable]) or (None, None)
        with pytest.raises(NotFound):
            find_seen(session, "nothing")

    assert (found.id if found else None, counted) == (cable, Recipients(0, 0, 0))
    edit_release(house, cable, ReleaseAction.HOLD)
    with house.runtime.reading() as session:
        assert find_seen(session, ids[cable]) is None
