"""Tests of corrections by a source: how often, and what an editor's text means."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import NOON, House
from hypothesis import given
from hypothesis import strategies as st
from ingest.sources.samples import make_sample

from newsletter.models import Release
from newsletter.releases.editing.edit_fields import edit_release
from newsletter.releases.from_sources.arrive import Arrival, store_arrival
from newsletter.releases.from_sources.correct import (
    APART,
    FIRST_HOUR,
    MOST,
    SOURCE,
    Correction,
    Made,
    correct_from_source,
    judge_correction,
)

QUAY = make_sample("quay", published=NOON.date())


def corrected(house: House, *titles: str, after: timedelta = timedelta()) -> list[Correction]:
    """Store the release if needed, then let its source give it these titles, `after` apart."""
    judged = []
    with house.runtime.session() as session:
        release, _ = store_arrival(session, Arrival(QUAY, ("quay",)), house.clock())
        session.commit()
        for title in titles:
            house.clock.pass_(seconds=after.total_seconds())
            judged.append(
                correct_from_source(session, release, make_sample("quay", title=title), house.clock())
            )
            session.commit()
    return judged


def stored(house: House) -> Release:
    (release,) = house.all(Release)
    return release


def test_a_changed_text_is_a_revision_of_the_same_release(either_house: House):
    assert corrected(either_house, "New title") == [Correction.MADE]

    release = stored(either_house)
    assert (release.title, release.revision) == ("New title", 2)
    assert release.published_on == QUAY.published
    assert release.updated_at == either_house.clock()


def test_the_present_text_changes_nothing(house: House):
    assert corrected(house, QUAY.title, "New title", "New title") == [
        Correction.SAME,
        Correction.MADE,
        Correction.SAME,
    ]


def test_after_the_first_hour_a_source_corrects_once_in_six_hours(house: House):
    hours = timedelta(hours=4)

    assert corrected(house, "One", "Two", "Three", after=hours) == [
        Correction.MADE,
        Correction.LATER,
        Correction.MADE,
    ]


def test_after_three_corrections_a_person_decides(house: House):
    assert corrected(house, "One", "Two", "Three", "Four") == [Correction.MADE] * 3 + [Correction.RESTLESS]
    assert stored(house).title == "Three"


def test_an_editors_text_is_kept(house: House):
    corrected(house)
    with house.runtime.session() as session:
        name, given = stored(house).public_id, {"title": "By an editor"}
        edit_release(session, name, given, topics=None, revision=None, actor="editor", now=house.clock())
        session.commit()

    assert corrected(house, "By the source") == [Correction.EDITED]
    assert stored(house).title == "By an editor"


@pytest.mark.parametrize("title", ["", " — "])
def test_a_text_without_a_title_is_refused(house: House, title: str):
    assert corrected(house, title) == [Correction.REFUSED]


def test_a_public_text_is_kept_if_the_new_one_was_cut(house: House):
    corrected(house)
    with house.runtime.session() as session:
        cut = make_sample("quay", title="New title", doubts=("text",))
        judged = correct_from_source(session, session.merge(stored(house)), cut, house.clock())

    assert judged is Correction.TOO_LONG
    assert stored(house).title == QUAY.title


@given(
    st.lists(st.timedeltas(timedelta(), timedelta(days=9)), max_size=5),
    st.timedeltas(timedelta(), timedelta(days=20)),
)
def test_nothing_lets_a_source_correct_more_than_three_times_or_twice_in_six_hours(gaps, later):
    now, made = NOON, []
    for gap in [*gaps, later]:
        now += gap
        if judge_correction(made, NOON, now) is Correction.MADE:
            assert len(made) < MOST
            assert not made or now - NOON <= FIRST_HOUR or now - made[-1].at >= APART
            made.append(Made(now, SOURCE))
