"""An editor changes a release by the fields of a form, or writes a new one."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from house import House, public_id
from sqlalchemy import select

from newsletter.errors import FieldsInvalid, StateConflict
from newsletter.models import AuditEntry, Release, ReleaseState
from newsletter.releases.editing.edit_fields import edit_release, form_values, sentence_case, write_release

UTC_ZONE = ZoneInfo("UTC")


def edit(house: House, release: int, topics: set[str] | None = None, **given: str) -> bool:
    name = public_id(house, release)
    with house.runtime.session() as session:
        changed = edit_release(
            session, name, given, topics=topics, revision=None, actor="editor", now=house.clock()
        )
        session.commit()
        return changed


def stored(house: House, release: int) -> Release:
    with house.runtime.reading() as session:
        return session.get_one(Release, release)


def test_fields_that_are_given_change_and_others_stay(either_house: House):
    house = either_house
    quay = house.release("A new quay")

    changed = edit(house, quay, title="A new pier", email_title="A pier for you")

    found = stored(house, quay)
    assert changed
    assert (found.title, found.email_title, found.publisher) == (
        "A new pier", "A pier for you", "Port of Halmstrand",
    )  # fmt: skip
    assert (found.revision, found.body_html) == (2, "<p>A new quay. It opens on Monday.</p>")
    with house.runtime.reading() as session:
        assert session.scalars(select(AuditEntry.action)).all() == ["release.revise"]


def test_a_form_that_is_sent_unchanged_changes_nothing(house: House):
    quay = house.release("A new quay")
    with house.runtime.reading() as session:
        shown = form_values(session.get_one(Release, quay), UTC_ZONE)

    assert not edit(house, quay, **shown)
    assert stored(house, quay).revision == 1


def test_the_text_is_markdown(house: House):
    quay = house.release("A new quay")

    edit(house, quay, body="It is **open**.\n\n<script>alert(1)</script>")

    found = stored(house, quay)
    assert "<p>It is <strong>open</strong>.</p>" in found.body_html
    assert "<script" not in found.body_html
    assert found.body_text.startswith("It is open.")


def test_a_date_with_a_time_and_a_zone_is_shown_again(house: House):
    quay = house.release("A new quay")

    edit(house, quay, date="2026-03-09", time="23:30", zone="America/New_York")

    found = stored(house, quay)
    assert found.published_on == date(2026, 3, 9)
    assert found.published_at == datetime(2026, 3, 10, 3, 30, tzinfo=UTC)
    assert form_values(found, ZoneInfo("America/New_York"))["time"] == "23:30"


def test_topics_are_those_that_are_chosen(either_house: House):
    house = either_house
    house.topic("sea")
    ann = house.add_subscriber(house.topic("trade"))
    wave = house.release("A sea wave")

    edit(house, wave, {"trade"})
    house.send()

    assert house.releases_sent(ann) == [wave]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", " … "),
        ("title", "a" * 501),
        ("body", "  "),
        ("date", "soon"),
        ("date", "2027-01-01"),
        ("date", "0001-01-01"),
        ("time", "noon"),
        ("zone", "Atlantis"),
        ("language", "English, mostly"),
        ("language", "e"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(house: House, field: str, value: str):
    quay = house.release("A new quay")

    with pytest.raises(FieldsInvalid) as raised:
        edit(house, quay, **{field: value})
    assert raised.value.faults.keys() == {field}
    assert stored(house, quay).revision == 1


def test_an_edit_of_a_text_that_somebody_else_has_changed_is_refused(house: House):
    quay = house.release("A new quay")
    name = public_id(house, quay)
    edit(house, quay, title="A new pier")

    with house.runtime.session() as session, pytest.raises(StateConflict, match="Another editor"):
        edit_release(session, name, {"title": "A wharf"}, revision=1, actor="ann", now=house.clock())


def test_a_release_that_is_written_is_held_under_its_topics(either_house: House):
    house = either_house
    house.topic("sea")
    house.topic("trade")
    given = {"title": "A sea wave", "body": "It is **high**.", "email_title": "Look", "language": "en"}

    with house.runtime.session() as session:
        made = write_release(session, given, topics={"trade"}, actor="editor", now=house.clock())
        found = (made.state, made.holds[0].set_by, {link.topic.slug for link in made.topic_links})
        texts = (made.body_html, made.body_text, made.summary, made.email_title, made.published_on)
        session.commit()

    assert found == (ReleaseState.HELD, "editor", {"sea", "trade"})
    assert texts == (
        "<p>It is <strong>high</strong>.</p>", "It is high.", "It is high.", "Look", house.clock().date(),
    )  # fmt: skip
    with house.runtime.session() as session, pytest.raises(StateConflict, match="stored already"):
        write_release(session, given, actor="editor", now=house.clock())


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("PORT OPENS NEW QUAY", "Port opens new quay"),
        ("“PORT OPENS”: NEW QUAY", "“Port opens”: new quay"),
        ("NATO", None),
        ("Port opens new QUAY", None),
        ("港が新しい岸壁を開く", None),
    ],
)
def test_a_title_in_capitals_is_offered_in_sentence_case(title: str, expected: str | None):
    assert sentence_case(title) == expected
