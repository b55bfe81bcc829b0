"""Tests of merging two releases, of undoing that, and of who gets what."""

from __future__ import annotations

import pytest
from house import House, correct_release, edit_release, meanwhile, public_id
from releases.duplicates.samples import arrive, press, state, topics
from sqlalchemy import select

from newsletter.errors import InputError, NotFound, StateConflict
from newsletter.models import (
    AuditEntry,
    Frequency,
    PairState,
    Release,
    ReleaseMerge,
    ReleasePair,
    ReleaseState,
)
from newsletter.releases.duplicates.merge import mark_different, merge_releases, undo_merge
from newsletter.releases.editing.delete import delete_release
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.store import add_release


def merge(house: House, keep: int, other: int) -> PairState:
    with house.runtime.session() as session:
        done = merge_releases(
            session, public_id(house, keep), public_id(house, other), "editor", house.clock()
        )
        session.commit()
        return done


def undo(house: House, release: int) -> None:
    with house.runtime.session() as session:
        undo_merge(session, public_id(house, release), "editor", house.clock())
        session.commit()


def two(house: House) -> tuple[int, int, int, int]:
    """Return two topics, and a release under each."""
    quay, ferry = house.topic("quay"), house.topic("ferry")
    return quay, ferry, house.release("Quay"), house.release("Ferry")


def test_subscribers_of_either_get_the_one_that_stays_once(either_house: House):
    quay, ferry, first, second = two(either_house)
    people = [
        either_house.add_subscriber(quay),
        either_house.add_subscriber(ferry),
        either_house.add_subscriber(quay, ferry),
    ]
    with either_house.runtime.session() as session:
        for each in session.scalars(select(Release)):
            session.refresh(each)
    third, fourth = either_house.release("Quay again"), either_house.release("Ferry again")

    assert merge(either_house, third, fourth) is PairState.MERGED
    either_house.send()

    assert [either_house.releases_sent(each) for each in people] == [[third]] * 3
    assert state(either_house, fourth) is ReleaseState.EXCLUDED
    assert topics(either_house, third).keys() == {"quay", "ferry"}
    assert {first, second}.isdisjoint({third, fourth})


def test_if_only_the_earlier_was_sent_the_later_one_is_excluded_and_nobody_gets_both(either_house: House):
    quay, ferry = either_house.topic("quay"), either_house.topic("ferry")
    both, only = either_house.add_subscriber(quay, ferry), either_house.add_subscriber(ferry)
    first = either_house.release("Quay")
    either_house.send()
    second = either_house.release("Ferry")

    merge(either_house, first, second)
    either_house.send()

    assert either_house.releases_sent(both) == [first]
    assert either_house.releases_sent(only) == [first]


def test_what_is_queued_leaves_the_merged_release_and_brings_the_other_with_the_next_issue(
    either_house: House,
):
    quay, ferry = either_house.topic("quay"), either_house.topic("ferry")
    both, only = either_house.add_subscriber(quay, ferry), either_house.add_subscriber(ferry)
    first, second = either_house.release("Quay"), either_house.release("Ferry")
    either_house.open()

    merge(either_house, first, second)
    either_house.drain()
    either_house.send()

    assert either_house.releases_sent(both) == [first]
    # The skipped delivery keeps what it held.
    assert either_house.releases_sent(only) == [second, first]
    assert len(either_house.transport.sent) == 2


def test_the_one_that_was_sent_has_to_stay(house: House):
    ferry = house.topic("ferry")
    house.add_subscriber(ferry)
    first, second = house.release("Quay"), house.release("Ferry")
    house.send()

    with pytest.raises(StateConflict, match="was sent already"):
        merge(house, first, second)
    assert merge(house, second, first) is PairState.MERGED


def test_if_both_were_sent_they_are_linked_and_nothing_else_changes(house: House):
    quay, ferry = house.topic("quay"), house.topic("ferry")
    house.add_subscriber(quay, ferry)
    first, second = house.release("Quay"), house.release("Ferry")
    house.send()

    assert merge(house, first, second) is PairState.LINKED
    assert (state(house, first), state(house, second)) == ("ready", "ready")
    assert house.all(ReleaseMerge) == []


def test_an_undone_merge_leaves_both_as_they_were_and_nobody_misses_one(either_house: House):
    quay, ferry, *_ = two(either_house)
    both, only = either_house.add_subscriber(quay, ferry), either_house.add_subscriber(ferry)
    first, second = either_house.release("Quay again"), either_house.release("Ferry again")
    merge(either_house, first, second)

    undo(either_house, second)
    either_house.send(Frequency.WEEKLY)

    assert (state(either_house, first), state(either_house, second)) == ("ready", "ready")
    assert topics(either_house, first).keys() == {"quay"}
    assert sorted(either_house.releases_sent(both)) == [first, second]
    assert either_house.releases_sent(only) == [second]
    with either_house.runtime.reading() as session:
        actions = set(session.scalars(select(AuditEntry.action).where(AuditEntry.actor == "editor")))
        assert {"release.merge", "release.undo-merge"} <= actions
        assert session.scalars(select(ReleasePair.state)).all() == [PairState.DIFFERENT]


def test_a_merge_can_be_made_again_after_it_was_undone(house: House):
    _, _, first, second = two(house)
    merge(house, first, second)
    undo(house, second)

    merge(house, first, second)

    assert topics(house, first).keys() == {"quay", "ferry"}


def test_a_held_release_that_was_merged_is_held_again_when_it_is_undone(house: House):
    first, second = house.release("Quay"), house.release("Ferry", state=ReleaseState.HELD)
    merge(house, first, second)

    undo(house, second)

    assert state(house, second) is ReleaseState.HELD


def test_a_chain_of_merges_leads_to_the_last_one_and_is_undone_from_the_end(house: House):
    first, second, third = house.release("Quay"), house.release("Ferry"), house.release("Crane")
    merge(house, second, third)
    merge(house, first, second)
    assert [each.stays_id for each in house.all(ReleaseMerge)] == [first, first]

    with pytest.raises(StateConflict, match="Undo that first"):
        undo(house, third)
    undo(house, second)

    assert [(each.release_id, each.stays_id) for each in house.all(ReleaseMerge)] == [(third, second)]


def test_what_cannot_be_merged_is_refused_with_a_reason(house: House):
    first, second, third = house.release("Quay"), house.release("Ferry"), house.release("Crane")
    merge(house, first, second)

    with pytest.raises(StateConflict, match="unmerge"):
        merge(house, third, second)
    with pytest.raises(InputError, match="two releases"):
        merge(house, first, first)
    with house.runtime.session() as session, pytest.raises(NotFound):
        merge_releases(session, public_id(house, first), "nothing", "editor", house.clock())
    with pytest.raises(StateConflict, match="is not merged"):
        undo(house, first)
    with pytest.raises(StateConflict, match="merged into another"):
        edit_release(house, second, ReleaseAction.READY)
    with house.runtime.session() as session:
        delete_release(session, public_id(house, third), "editor", house.clock())
        session.commit()
    with pytest.raises(StateConflict, match="is deleted"):
        merge(house, first, third)


def test_different_releases_are_remembered(house: House):
    first, second = arrive(house, press()), arrive(house, press(title="Other"))
    with house.runtime.session() as session:
        mark_different(session, public_id(house, first), public_id(house, second), "editor", house.clock())
        session.commit()

    (pair,) = house.all(ReleasePair)
    assert (pair.state, pair.decided_by) == (PairState.DIFFERENT, "editor")


def test_a_file_with_the_text_of_a_merged_release_is_the_one_that_stays(house: House):
    first, second = arrive(house, press()), arrive(house, press(title="Other"))
    house.topic("late")
    merge(house, first, second)

    with house.runtime.session() as session:
        known, is_new = add_release(session, press(title="Other"), now=house.clock(), topics=["late"])
        session.commit()
        assert (known.id, is_new) == (first, False)
    assert topics(house, first).keys() == {"late"}


def test_a_release_can_be_corrected_to_the_text_of_its_copy(either_house: House):
    first, second = arrive(either_house, press()), arrive(either_house, press(title="Other"))
    with pytest.raises(InputError, match="stored already"):
        correct_release(either_house, first, "Other")
    merge(either_house, first, second)

    correct_release(either_house, first, "Other")
    undo(either_house, second)

    with either_house.runtime.reading() as session:
        assert session.get_one(Release, first).title == "Other"
        hashes = session.scalars(select(Release.content_hash)).all()
    assert len(set(hashes)) == 2


def test_two_editors_who_merge_in_opposite_ways_wait_for_each_other(big_house: House):
    first, second = big_house.release("Quay"), big_house.release("Ferry")
    answers: list[str] = []

    def other_way() -> None:
        try:
            merge(big_house, second, first)
        except StateConflict as fault:
            answers.append(str(fault))

    with big_house.runtime.session() as session:
        merge_releases(
            session, public_id(big_house, first), public_id(big_house, second), "editor", big_house.clock()
        )
        with meanwhile(big_house, other_way):
            session.commit()

    assert [each.release_id for each in big_house.all(ReleaseMerge)] == [second]
    assert len(answers) == 1
