"""Tests of what is done about a release that has a duplicate, on both databases and at the same moment."""

from __future__ import annotations

import threading
from datetime import timedelta

from house import House, edit_release, public_id
from releases.duplicates.samples import TEXT, add_source, arrive, press, state, topics
from sqlalchemy import func, select

from newsletter.models import (
    PairState,
    Release,
    ReleaseHold,
    ReleaseMerge,
    ReleasePair,
    ReleaseState,
)
from newsletter.notices import NoticeKind, open_notices
from newsletter.releases.due_holds import end_due_holds
from newsletter.releases.duplicates.judge import end_settling
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.editing.embargo import set_embargo
from newsletter.releases.from_sources.arrive import Arrival, store_arrival

COPY = press(f"HALMSTRAND, 10 March 2026 – {TEXT}", publisher="Wire")
OTHER_FIGURE = press(TEXT.replace("140", "150"), publisher="Wire")


def pairs(house: House) -> list[tuple[int, int, PairState, str]]:
    with house.runtime.reading() as session:
        found = session.scalars(select(ReleasePair)).all()
        return [(each.earlier_id, each.later_id, each.state, each.differs) for each in found]


def settle(house: House, release: int) -> None:
    with house.runtime.session() as session:
        end_settling(session, release, house.clock())
        session.commit()


def test_a_copy_from_another_source_is_merged(either_house: House):
    either_house.topic("quay")
    first = arrive(either_house, press(), source=add_source(either_house, "one"))

    second = arrive(either_house, COPY, source=add_source(either_house, "two"))

    assert (state(either_house, first), state(either_house, second)) == ("ready", "excluded")
    assert pairs(either_house) == [(first, second, PairState.MERGED, "")]
    with either_house.runtime.reading() as session:
        merge = session.get_one(ReleaseMerge, second)
        assert (merge.stays_id, merge.was, merge.merged_by) == (first, ReleaseState.READY, "duplicates")


def test_another_figure_is_suggested_and_both_are_sent(either_house: House):
    first = arrive(either_house, press(), source=add_source(either_house, "one"))

    second = arrive(either_house, OTHER_FIGURE, source=add_source(either_house, "two"))

    assert state(either_house, second) is ReleaseState.READY
    assert pairs(either_house) == [(first, second, PairState.SUGGESTED, "figures")]


def test_items_of_one_source_are_not_merged(house: House):
    source = add_source(house)
    first = arrive(house, press(), source=source)

    second = arrive(house, COPY, source=source)
    third = arrive(house, OTHER_FIGURE, source=source)

    assert [state(house, each) for each in (first, second, third)] == [ReleaseState.READY] * 3
    assert pairs(house) == [(first, second, PairState.SUGGESTED, "")]


def test_a_copy_that_settles_is_judged_when_it_has_settled(either_house: House):
    first = arrive(either_house, press())
    until = either_house.clock() + timedelta(hours=1)
    second, third = (
        arrive(either_house, COPY, settles_until=until),
        arrive(either_house, press(f"HALMSTRAND – {TEXT}", publisher="News"), settles_until=until),
    )
    assert pairs(either_house) == []

    settle(either_house, second)
    either_house.clock.pass_(hours=1)
    with either_house.runtime.session() as session:
        end_due_holds(session, either_house.clock())
        session.commit()

    assert [state(either_house, each) for each in (first, second, third)] == ["ready", "excluded", "excluded"]
    with either_house.runtime.reading() as session:
        assert session.scalar(select(func.count()).select_from(ReleaseHold)) == 0


def test_of_two_that_settle_the_one_that_is_ready_first_stays(house: House):
    until = house.clock() + timedelta(hours=1)
    first, second = arrive(house, press(), settles_until=until), arrive(house, COPY, settles_until=until)

    settle(house, second)
    settle(house, first)

    assert (state(house, first), state(house, second)) == ("excluded", "ready")


def test_a_copy_of_what_a_person_held_back_is_held_and_the_owner_is_told(either_house: House):
    first = arrive(either_house, press())
    with either_house.runtime.session() as session:
        until = either_house.clock() + timedelta(days=2)
        set_embargo(session, public_id(either_house, first), until, "editor", either_house.clock())
        session.commit()

    second = arrive(either_house, COPY)

    assert state(either_house, second) is ReleaseState.HELD
    assert pairs(either_house) == [(first, second, PairState.SUGGESTED, "")]
    with either_house.runtime.reading() as session:
        (notice,) = open_notices(session, NoticeKind.DUPLICATE_HELD)
        assert notice.subject == public_id(either_house, second)


def test_a_copy_of_a_release_that_was_excluded_or_deleted_is_held(house: House):
    first = arrive(house, press())
    edit_release(house, first, ReleaseAction.EXCLUDE)

    assert state(house, arrive(house, COPY)) is ReleaseState.HELD


def test_an_editor_who_makes_such_a_copy_ready_is_not_asked_again(house: House):
    edit_release(house, arrive(house, press()), ReleaseAction.HOLD)
    second = arrive(house, COPY)

    edit_release(house, second, ReleaseAction.READY)

    assert state(house, second) is ReleaseState.READY


def test_a_copy_of_what_was_kept_back_stays_and_gives_its_topics_no_sequence(either_house: House):
    either_house.topic("quay")
    either_house.topic("seaside", "walk")
    old = arrive(either_house, press(f"{TEXT} They walk there."), is_kept_back=True)

    new = arrive(either_house, press(f"HALMSTRAND – {TEXT}", publisher="Wire"))

    assert (state(either_house, old), state(either_house, new)) == ("excluded", "ready")
    assert topics(either_house, old) == {"quay": None, "seaside": None}
    assert topics(either_house, new) == {"quay": 1}


def test_the_topics_of_a_copy_become_new_pairs_of_the_release_that_stays(either_house: House):
    either_house.topic("quay")
    either_house.topic("wire", "cranes")
    first = arrive(either_house, press())

    arrive(
        either_house,
        press(f"{TEXT}\n\nThe cranes for it are built at the same time, as was said in the end."),
    )

    assert topics(either_house, first)["quay"] == 1


def test_copies_of_copies_lead_to_the_release_that_stays(house: House):
    first = arrive(house, press())
    second = arrive(house, COPY)

    third = arrive(house, press(f"HALMSTRAND, 10 March – {TEXT}", publisher="Third"))

    with house.runtime.reading() as session:
        stays = session.scalars(select(ReleaseMerge.stays_id)).all()
    assert stays == [first, first]
    assert state(house, second) is state(house, third) is ReleaseState.EXCLUDED


def test_a_copy_with_a_date_more_than_three_days_later_is_a_release_of_its_own(house: House):
    arrive(house, press())

    later = arrive(house, press(f"HALMSTRAND – {TEXT}", published=house.clock().date() - timedelta(days=4)))

    assert state(house, later) is ReleaseState.READY
    assert pairs(house) == []


def test_copies_that_arrive_at_the_same_moment_are_one_release_on_postgresql(big_house: House):
    """Eight transactions, each with a copy of its own, begin together."""
    big_house.topic("quay")
    start = threading.Barrier(8)
    faults: list[BaseException] = []

    def bring(at: int) -> None:
        item = press(f"HALMSTRAND, 10 March 2026 – {TEXT}", publisher=f"Wire {at}")
        try:
            with big_house.runtime.session() as session:
                session.scalar(select(func.count()).select_from(Release))
                start.wait()
                store_arrival(session, Arrival(item, (f"own {at}",)), big_house.clock())
                session.commit()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=bring, args=(at,)) for at in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert faults == []
    with big_house.runtime.reading() as session:
        states = [str(each) for each in session.scalars(select(Release.state))]
        assert len(set(session.scalars(select(ReleaseMerge.stays_id)))) == 1
    assert sorted(states) == ["excluded"] * 7 + ["ready"]
