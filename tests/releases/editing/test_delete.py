"""A deleted release is not listed and not sent, no source brings it again, and it can come back."""

from __future__ import annotations

import pytest
from house import House, edit_release, public_id

from newsletter.errors import StateConflict
from newsletter.models import Release, ReleaseState
from newsletter.releases.editing.delete import delete_release, undo_delete
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.queries import list_releases, newest_releases


def delete(house: House, release: int) -> None:
    name = public_id(house, release)
    with house.runtime.session() as session:
        delete_release(session, name, "test", house.clock())
        session.commit()


def undo(house: House, release: int) -> None:
    name = public_id(house, release)
    with house.runtime.session() as session:
        undo_delete(session, name, "test", house.clock())
        session.commit()


def state(house: House, release: int) -> ReleaseState:
    with house.runtime.reading() as session:
        return session.get_one(Release, release).state


def test_a_deleted_release_is_listed_only_among_the_deleted_ones(either_house: House):
    house = either_house
    quay = house.release("A new quay")

    delete(house, quay)

    with house.runtime.reading() as session:
        assert list_releases(session).items == []
        assert newest_releases(session, 10) == []
        assert [each.id for each in list_releases(session, deleted=True).items] == [quay]


def test_a_deleted_release_is_not_stored_again(either_house: House):
    house = either_house
    quay = house.release("A new quay")
    delete(house, quay)

    assert house.release("A new quay") == quay
    assert state(house, quay) is ReleaseState.EXCLUDED


def test_a_deleted_release_is_sent_after_it_came_back(either_house: House):
    house = either_house
    ann = house.add_subscriber(house.topic("sea"))
    wave = house.release("A sea wave")
    house.open()
    delete(house, wave)
    house.drain()
    assert house.transport.sent == []

    undo(house, wave)
    house.send()

    assert len(house.transport.sent) == 1
    assert house.releases_sent(ann)[-1] == wave


@pytest.mark.parametrize("action", [ReleaseAction.HOLD, ReleaseAction.EXCLUDE])
def test_a_release_comes_back_as_it_was(house: House, action: ReleaseAction):
    quay = house.release("A new quay")
    edit_release(house, quay, action)
    before = state(house, quay)

    delete(house, quay)
    delete(house, quay)
    undo(house, quay)

    assert state(house, quay) is before


def test_a_deleted_release_is_not_made_ready_by_another_button(house: House):
    quay = house.release("A new quay")
    delete(house, quay)

    with pytest.raises(StateConflict, match="deleted"):
        edit_release(house, quay, ReleaseAction.READY)
    undo(house, quay)
    with pytest.raises(StateConflict, match="not deleted"):
        undo(house, quay)
