"""Which releases are public now: ready ones whose embargo is over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import House, edit_release
from sqlalchemy import select

from newsletter.errors import NotFound, ReleaseWithdrawn
from newsletter.models import Release, ReleaseState
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.publishing.public import (
    find_public,
    is_public,
    list_public,
    newest_by_topic,
    public_now,
)

SECOND = timedelta(seconds=1)


def embargo(house: House, release_id: int, **span: float) -> None:
    with house.runtime.session() as session:
        session.get_one(Release, release_id).embargo_until = house.clock() + timedelta(**span)
        session.commit()


@pytest.mark.parametrize("state", list(ReleaseState))
@pytest.mark.parametrize("embargo_ends", [None, -SECOND, timedelta(0), SECOND])
def test_a_ready_release_is_public_once_its_embargo_is_over(either_house: House, state, embargo_ends):
    now = either_house.clock()
    release_id = either_house.release("Energy in March", state=state)
    if embargo_ends is not None:
        embargo(either_house, release_id, seconds=embargo_ends.total_seconds())

    with either_house.runtime.reading() as session:
        by_row = is_public(session.get_one(Release, release_id), now)
        by_sql = session.scalars(select(Release.id).where(public_now(now))).all()

    expected = state is ReleaseState.READY and embargo_ends != SECOND
    assert by_row is expected
    assert by_sql == ([release_id] if expected else [])


def test_a_release_under_embargo_is_in_no_list_until_it_ends(either_house: House):
    house = either_house
    house.topic("energy")
    release_id = house.release("Energy in March")
    embargo(house, release_id, hours=1)

    def shown() -> list[int]:
        with house.runtime.reading() as session:
            listed = list_public(session, house.clock(), topic="energy").items
            newest = newest_by_topic(session, house.clock())
            return [*(each.id for each in listed), *(each.id for each in newest.values())]

    before = shown()
    house.clock.pass_(hours=1)

    assert before == []
    assert shown() == [release_id, release_id]


@pytest.mark.parametrize("public_id", ["", "gone", "a\0b", "x" * 10_000])
def test_an_unknown_id_finds_nothing(either_house: House, public_id):
    with either_house.runtime.reading() as session, pytest.raises(NotFound):
        find_public(session, public_id, either_house.clock())


def test_only_what_was_public_before_is_withdrawn(either_house: House):
    house = either_house
    never = house.release("Energy in March", state=ReleaseState.HELD)
    withdrawn, embargoed = house.release("Energy in April"), house.release("Energy in May")
    edit_release(house, withdrawn, ReleaseAction.EXCLUDE)
    embargo(house, embargoed, hours=1)
    faults = {}

    with house.runtime.reading() as session:
        for release_id in (never, withdrawn, embargoed):
            with pytest.raises(NotFound) as fault:
                find_public(session, session.get_one(Release, release_id).public_id, house.clock())
            faults[release_id] = fault.type

    assert faults == {never: NotFound, withdrawn: ReleaseWithdrawn, embargoed: NotFound}
