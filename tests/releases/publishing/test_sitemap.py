"""Each public release is in one part of the sitemap, and stays in it."""

from __future__ import annotations

from house import House
from sqlalchemy import delete, update

from newsletter.models import Release, ReleaseBand, ReleaseState
from newsletter.releases.publishing.sitemap import PART_IDS, count_parts, releases_of_part


def test_parts_have_releases_by_id(either_house: House):
    house = either_house
    first, second = house.release("One"), house.release("Two")
    house.release("Held", state=ReleaseState.HELD)
    with house.runtime.session() as session:
        assert count_parts(session) == 1
        session.execute(delete(ReleaseBand).where(ReleaseBand.release_id == second))
        session.execute(update(Release).where(Release.id == second).values(id=PART_IDS + 1))
        session.commit()

    with house.runtime.reading() as session:
        parts = [releases_of_part(session, number, house.clock()) for number in (1, 2, 3)]
        assert count_parts(session) == 2
        ids = [session.get_one(Release, each).public_id for each in (first, PART_IDS + 1)]
    assert [[each.public_id for each in part] for part in parts] == [[ids[0]], [ids[1]], []]
    assert PART_IDS <= 50_000


def test_without_releases_there_is_no_part(either_house: House):
    with either_house.runtime.reading() as session:
        assert count_parts(session) == 0
