"""The mark of an urgent release: which release may have it, and that such a release need not settle."""

from __future__ import annotations

import pytest
from house import House, edit_release, public_id

from newsletter.errors import StateConflict
from newsletter.models import HoldReason, Release, ReleaseState
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.editing.urgent import mark_urgent, unmark_urgent
from newsletter.releases.holds import hold


def mark(house: House, release: int) -> None:
    with house.runtime.session() as session:
        mark_urgent(session, public_id(house, release), 0, "test", house.clock())
        session.commit()


def test_an_urgent_release_need_not_settle_but_another_hold_stays(house: House):
    house.topic("sea")
    wave, calm = house.release("A sea wave"), house.release("A calm sea")
    with house.runtime.session() as session:
        for number in (wave, calm):
            hold(session.get_one(Release, number), HoldReason.SETTLING, "source", house.clock())
        hold(session.get_one(Release, calm), HoldReason.DOUBT, "parser", house.clock())
        session.commit()

    mark(house, wave)
    mark(house, calm)

    with house.runtime.reading() as session:
        assert session.get_one(Release, wave).state is ReleaseState.READY
        held = session.get_one(Release, calm)
        assert [each.reason for each in held.holds] == [HoldReason.DOUBT]
        assert held.urgent


def test_what_was_kept_back_excluded_or_has_no_topic_is_refused(house: House):
    house.topic("sea")
    kept, excluded, bare = (house.release(each) for each in ("A sea wave", "A calm sea", "A quay"))
    edit_release(house, excluded, ReleaseAction.EXCLUDE)
    with house.runtime.session() as session:
        session.get_one(Release, kept).is_kept_back = True
        session.commit()

    for release, words in ((kept, "after all first"), (excluded, "excluded"), (bare, "no topic")):
        with pytest.raises(StateConflict, match=words):
            mark(house, release)


def test_a_release_that_is_not_marked_cannot_be_unmarked(house: House):
    house.topic("sea")
    wave = house.release("A sea wave")

    with (
        house.runtime.session() as session,
        pytest.raises(StateConflict, match="does not wait"),
    ):
        unmark_urgent(session, public_id(house, wave), "test", house.clock())
