"""The texts of a corrected release are kept, and pages say "updated" only if visitors saw another text."""

from __future__ import annotations

from house import House, correct_release, edit_release
from sqlalchemy import select

from newsletter.models import Release, ReleaseRevision, ReleaseState
from newsletter.releases.editing.edit import ReleaseAction


def texts(house: House) -> list[tuple[int, str]]:
    with house.runtime.reading() as session:
        rows = session.execute(select(ReleaseRevision.number, ReleaseRevision.title).order_by("number"))
        return [(number, title) for number, title in rows]


def release(house: House, release_id: int) -> Release:
    with house.runtime.reading() as session:
        return session.get_one(Release, release_id)


def test_a_release_that_was_never_corrected_has_no_rows(either_house: House):
    quay = either_house.release("A new quay")

    assert texts(either_house) == []
    assert (release(either_house, quay).revision, release(either_house, quay).updated_at) == (1, None)


def test_each_correction_keeps_the_text_before_it(either_house: House):
    house = either_house
    quay = house.release("A new quay")

    correct_release(house, quay, "A new pier")
    correct_release(house, quay, "A new wharf")

    assert texts(house) == [(1, "A new quay"), (2, "A new pier"), (3, "A new wharf")]
    assert (release(house, quay).revision, release(house, quay).title) == (3, "A new wharf")


def test_the_first_text_keeps_when_it_was_made_and_became_public(house: House):
    quay, added = house.release("A new quay"), house.clock()
    house.clock.pass_(hours=3)

    correct_release(house, quay, "A new pier")

    with house.runtime.reading() as session:
        first, second = session.scalars(select(ReleaseRevision).order_by(ReleaseRevision.number)).all()
    assert (first.made_at, first.made_public_at) == (added, added)
    assert (second.made_at, second.made_public_at, second.made_by) == (house.clock(), house.clock(), "test")


def test_a_public_text_that_is_corrected_is_an_update(house: House):
    quay = house.release("A new quay")
    house.clock.pass_(hours=3)

    correct_release(house, quay, "A new pier")

    assert release(house, quay).updated_at == house.clock()


def test_a_text_that_nobody_saw_is_no_update(house: House):
    quay = house.release("A new quay", state=ReleaseState.HELD)
    correct_release(house, quay, "A new pier")

    edit_release(house, quay, ReleaseAction.READY)

    assert release(house, quay).updated_at is None


def test_a_text_that_is_corrected_while_it_is_held_is_an_update_when_it_becomes_ready(house: House):
    quay = house.release("A new quay")
    edit_release(house, quay, ReleaseAction.HOLD)
    correct_release(house, quay, "A new pier")
    assert release(house, quay).updated_at is None
    house.clock.pass_(hours=3)

    edit_release(house, quay, ReleaseAction.READY)

    assert release(house, quay).updated_at == house.clock()


def test_a_title_for_emails_only_is_a_revision_but_no_update(house: House):
    quay = house.release("A new quay")

    correct_release(house, quay, "A new quay", email_title="A quay for you")

    assert (release(house, quay).revision, release(house, quay).updated_at) == (2, None)
