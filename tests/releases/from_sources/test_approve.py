"""Releases of a source that needs approval wait, and the owner is told once for each batch."""

from __future__ import annotations

import pytest
from house import House
from press_site import Desk, News, Site, desk_of
from servers.web import serving

from newsletter.errors import StateConflict
from newsletter.ingest.retrieve import Limits
from newsletter.ingest.sources.manage import need_approval
from newsletter.models import Notice, Release
from newsletter.releases.from_sources.approve import approve, count_waiting, waiting_for_approval

QUAY, FERRY, PIER = News("The quay opens", "1"), News("The ferry is late", "2"), News("The pier", "3")


@pytest.fixture
def site():
    with serving() as running:
        yield Site(running)


@pytest.fixture
def desk(either_house: House):
    return desk_of(either_house, Limits(seconds=10))


def need(desk: Desk, source: str) -> None:
    with desk.house.runtime.session() as session:
        need_approval(session, source, True, "ann", desk.house.clock())
        session.commit()


def approve_all(desk: Desk) -> None:
    with desk.house.runtime.reading() as session:
        waiting = [each.public_id for each in waiting_for_approval(session)]
    for each in waiting:
        with desk.house.runtime.session() as session:
            approve(session, each, "ann", desk.house.clock())
            session.commit()


def told(desk: Desk) -> list[bool]:
    """Return whether each notice about approvals is closed, the oldest first."""
    notices = [each for each in desk.house.all(Notice) if each.kind == "approvals_wait"]
    return [each.settled_at is not None for each in notices]


def poll(desk: Desk) -> None:
    desk.house.clock.pass_(minutes=20)
    desk.poll()


def test_new_releases_wait_and_the_owner_is_told_once_for_each_batch(desk: Desk, site: Site):
    desk.house.topic("ferry")
    site.show(QUAY)
    source = desk.add(site, settle_minutes=0)
    desk.poll()
    need(desk, source)

    site.show(QUAY, FERRY)
    poll(desk)
    site.show(QUAY, FERRY, PIER)
    poll(desk)

    assert desk.releases() == {
        "The quay opens": "ready",
        "The ferry is late": "held approval",
        "The pier": "held approval",
    }
    assert told(desk) == [False]
    approve_all(desk)
    assert set(desk.releases().values()) == {"ready"}
    assert [link.sequence for link in desk.release("The ferry is late").topic_links] == [1]
    assert told(desk) == [True]
    site.show(QUAY, FERRY, PIER, News("A buoy", "4"))
    poll(desk)
    assert told(desk) == [True, False]
    with desk.house.runtime.reading() as session:
        assert count_waiting(session) == 1


def test_what_does_not_wait_cannot_be_approved(house: House):
    release = house.release("A quay")
    with house.runtime.session() as session:
        public_id = session.get_one(Release, release).public_id
        with pytest.raises(StateConflict, match="does not wait"):
            approve(session, public_id, "ann", house.clock())
