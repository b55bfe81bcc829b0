"""A correction is a revision: no second release, no sequence, and what waits is sent with the new text."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from house import NOON, House, correct_release, edit_release
from sqlalchemy import select

from newsletter.errors import InputError
from newsletter.ingest.press.parse import PressRelease
from newsletter.models import (
    HoldReason,
    Release,
    ReleaseHold,
    ReleaseState,
    ReleaseTopic,
    Subscription,
    current_sequence,
)
from newsletter.releases.editing.edit import ReleaseAction, find_release
from newsletter.releases.holds import hold
from newsletter.releases.store import add_release


def pairs(house: House) -> dict[int, tuple[int | None, int | None]]:
    """Return the latest and the first sequence of each topic's only release."""
    with house.runtime.reading() as session:
        rows = session.execute(
            select(ReleaseTopic.topic_id, ReleaseTopic.sequence, ReleaseTopic.first_sequence)
        )
        return {topic: (sequence, first) for topic, sequence, first in rows}


def state(house: House, release: int) -> tuple[ReleaseState, set[HoldReason]]:
    with house.runtime.reading() as session:
        reasons = session.scalars(select(ReleaseHold.reason).where(ReleaseHold.release_id == release))
        return session.get_one(Release, release).state, set(reasons)


def hold_for(house: House, release: int, reason: HoldReason, **more: object) -> None:
    with house.runtime.session() as session:
        found = find_release(session, session.get_one(Release, release).public_id)
        hold(found, reason, "test", house.clock(), **more)  # type: ignore[arg-type]
        session.commit()


def test_a_correction_gets_no_sequence_and_moves_no_mark(either_house: House):
    house = either_house
    sea = house.topic("sea")
    house.add_subscriber(sea)
    wave = house.release("A sea wave")
    house.send()
    with house.runtime.reading() as session:
        before = (current_sequence(session), session.scalars(select(Subscription.covered_to)).all())

    correct_release(house, wave, "A high sea wave")

    with house.runtime.reading() as session:
        after = (current_sequence(session), session.scalars(select(Subscription.covered_to)).all())
    assert after == before
    assert pairs(house) == {sea: (1, 1)}


def test_only_the_pair_with_a_newly_matched_topic_gets_a_sequence(either_house: House):
    house = either_house
    sea, energy = house.topic("sea"), house.topic("energy")
    ann, ben = house.add_subscriber(sea, name="ann"), house.add_subscriber(energy, name="ben")
    wave = house.release("A sea wave")
    house.send()

    correct_release(house, wave, "A sea wave of energy")
    house.send()

    assert pairs(house) == {sea: (1, 1), energy: (2, 2)}
    assert (house.releases_sent(ann), house.releases_sent(ben)) == ([wave], [wave])
    assert house.recipients() == ["ann@example.org", "ben@example.org"]


def test_a_topic_that_no_longer_matches_stays(house: House):
    sea = house.topic("sea")
    wave = house.release("A sea wave")

    correct_release(house, wave, "A wave")

    assert pairs(house) == {sea: (1, 1)}


def test_a_text_that_came_back_from_its_source_is_the_same_release(either_house: House):
    house = either_house
    quay = house.release("A new quay")
    correct_release(house, quay, "A new pier")

    assert house.release("A new quay") == quay


def test_a_release_cannot_take_the_text_of_another_one(either_house: House):
    house = either_house
    first, second = house.release("A new quay"), house.release("A new pier")
    with house.runtime.reading() as session:
        body = session.get_one(Release, first).body_text

    with pytest.raises(InputError, match="stored already"):
        correct_release(house, second, "A new quay", body_text=body)
    with pytest.raises(InputError, match="title is empty"):
        correct_release(house, second, " … ")


def test_a_change_to_nothing_new_is_no_revision(house: House):
    quay = house.release("A new quay")

    correct_release(house, quay, "A  new quay ")

    with house.runtime.reading() as session:
        assert session.get_one(Release, quay).revision == 1


def test_a_corrected_release_that_was_held_for_a_doubt_is_judged_again(house: House):
    quay = house.release("A new quay")
    hold_for(house, quay, HoldReason.DOUBT, fields=["title"])

    correct_release(house, quay, "A new pier")

    assert state(house, quay) == (ReleaseState.READY, set())


@pytest.mark.parametrize("reason", [HoldReason.EDITOR, HoldReason.APPROVAL, HoldReason.SETTLING])
def test_a_hold_that_does_not_come_from_the_text_stays(house: House, reason: HoldReason):
    quay = house.release("A new quay")
    hold_for(house, quay, HoldReason.DOUBT, fields=["title"])
    hold_for(house, quay, reason)

    correct_release(house, quay, "A new pier")

    assert state(house, quay) == (ReleaseState.HELD, {reason})


def test_a_date_that_is_corrected_to_next_month_holds_the_release(house: House):
    quay = house.release("A new quay")
    later = NOON + timedelta(days=30)

    correct_release(house, quay, "A new quay", published_on=later.date(), published_at=later)

    assert state(house, quay) == (ReleaseState.HELD, {HoldReason.DATE})


def test_an_excluded_release_stays_excluded(house: House):
    quay = house.release("A new quay")
    edit_release(house, quay, ReleaseAction.EXCLUDE)

    correct_release(house, quay, "A new pier")

    assert state(house, quay) == (ReleaseState.EXCLUDED, set())


def test_a_held_release_that_was_sent_gives_a_newly_matched_topic_its_sequence(house: House):
    sea, energy = house.topic("sea"), house.topic("energy")
    ben = house.add_subscriber(energy, name="ben")
    wave = house.release("A sea wave")
    edit_release(house, wave, ReleaseAction.HOLD)

    correct_release(house, wave, "A sea wave of energy")
    edit_release(house, wave, ReleaseAction.READY)
    house.send()

    assert None not in {each for pair in pairs(house).values() for each in pair}
    assert pairs(house).keys() == {sea, energy}
    assert house.releases_sent(ben) == [wave]


def test_an_earlier_text_that_a_file_brings_again_only_adds_its_topics(house: House):
    sea = house.topic("sea")
    wave = house.release("A wave")
    correct_release(house, wave, "A high wave")
    press = PressRelease(
        "A wave", "Port of Halmstrand", date(2026, 3, 10), "en", ("A wave. It opens on Monday.",)
    )

    with house.runtime.session() as session:
        found, is_new = add_release(session, press, now=house.clock(), topics=["sea"])
        session.commit()
        again = (found.id, is_new)

    assert again == (wave, False)
    assert pairs(house) == {sea: (1, 1)}
