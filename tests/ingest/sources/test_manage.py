"""Tests of adding, changing and removing sources."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import NOON, House
from press_site import Desk, News, Site, desk_of
from servers.web import serving
from sqlalchemy import select

from newsletter.errors import InputError, NotFound, StateConflict
from newsletter.ingest.guard import Allowed
from newsletter.ingest.sources.manage import (
    add_source,
    count_items,
    edit_source,
    find_source,
    list_sources,
    newest_items,
    pause_source,
    places,
    poll_soon,
    remove_source,
    resume_source,
)
from newsletter.models import AuditEntry, FullText, SourceState
from newsletter.notices import open_notices


@pytest.fixture
def desk(either_house: House):
    return desk_of(either_house)


def add(session, url="https://press.example/feed", **given):
    return add_source(session, url, allowed=Allowed(), actor="ann", now=NOON, **given)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "file:///etc/passwd", "https://a:b@press.example/", "http://0x7f.1/", "nowhere"],
)
def test_an_address_that_is_never_fetched_is_no_source(house: House, url: str):
    with house.runtime.session() as session, pytest.raises(InputError, match="cannot be a source"):
        add(session, url)


@pytest.mark.parametrize(
    "given", [{"interval_minutes": 4}, {"settle_minutes": 121}, {"settle_minutes": -1}, {"backlog": "some"}]
)
def test_numbers_out_of_bounds_are_refused(house: House, given):
    with house.runtime.session() as session, pytest.raises(InputError):
        add(session, **given)


def test_a_source_is_there_once(either_house: House):
    with either_house.runtime.session() as session:
        first = add(session)
        with pytest.raises(StateConflict, match=first.public_id):
            add(session, "https://PRESS.example/feed#top")


def test_sources_in_trouble_come_first_and_then_names_in_order(either_house: House):
    with either_house.runtime.session() as session:
        for name in ("b", "a", "failing", "paused"):
            add(session, f"https://{name}.example/", name=name)
        by_name = {each.name: each for each in list_sources(session)}
        by_name["failing"].failures = 1
        pause_source(session, by_name["paused"].public_id, "ann", NOON)

        assert [each.name for each in list_sources(session)] == ["paused", "failing", "a", "b"]


def test_pause_resume_edit_and_poll_soon_leave_an_audit_entry_each(either_house: House):
    later = NOON + timedelta(hours=1)
    with either_house.runtime.session() as session:
        public_id = add(session).public_id
        pause_source(session, public_id, "ann", NOON)
        with pytest.raises(StateConflict):
            poll_soon(session, public_id, NOON)
        row = resume_source(session, public_id, "ann", later)
        assert (row.state, row.next_at) == (SourceState.ACTIVE, later)
        edit_source(
            session, public_id, name=" Harbour  Press ", publisher="", interval_minutes=60, settle_minutes=0,
            needs_approval=True, full_text=FullText.ALWAYS, link_selector=" a ", link_pattern="",
            actor="ann", now=later,
        )  # fmt: skip
        assert (row.name, row.interval_minutes) == ("Harbour Press", 60)
        assert (row.full_text, row.link_selector) == (FullText.ALWAYS, "a")
        row.next_at = later + timedelta(hours=9)
        assert poll_soon(session, public_id, later).next_at == later
        actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()

    assert actions == ["source.add", "source.pause", "source.resume", "source.edit"]


def test_a_removed_source_leaves_its_releases(desk: Desk):
    with serving() as server:
        site = Site(server)
        site.show(News("The quay opens", "1"))
        public_id = desk.add(site, settle_minutes=0)
        desk.poll()
    with desk.house.runtime.session() as session:
        source = find_source(session, public_id)
        assert count_items(session) == {source.id: 1}
        (item,) = newest_items(session, source.id)
        assert places(session, item.release_id) == [item]

        assert remove_source(session, public_id, "ann", NOON) == f"Press {site.path}"
        session.commit()

    assert desk.releases() == {"The quay opens": "ready"}
    assert desk.items() == []
    with desk.house.runtime.session() as session, pytest.raises(NotFound):
        find_source(session, public_id)


def test_resuming_a_source_closes_its_notice(desk: Desk):
    with serving() as server:
        public_id = desk.add(server.url("/missing"))
        for _ in range(2):
            desk.poll()
            desk.house.clock.pass_(days=8)
    with desk.house.runtime.session() as session:
        assert len(open_notices(session)) == 1

        resume_source(session, public_id, "ann", desk.house.clock())

        assert open_notices(session) == []
