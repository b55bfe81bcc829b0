"""The search index follows every change of a release, in the same transaction."""

from __future__ import annotations

from datetime import date

import pytest
from house import House, edit_release
from sqlalchemy import text

from newsletter.ingest.press.parse import PressRelease
from newsletter.models import Release, ReleaseState
from newsletter.releases.editing.edit import ReleaseAction, correct_release
from newsletter.releases.search.find import search_releases
from newsletter.releases.search.index import index_again, index_missing
from newsletter.releases.store import add_release


def index_rows(house: House) -> list[tuple[int, str]]:
    """Return the content of the index."""
    place = "rowid" if house.runtime.engine.dialect.name == "sqlite" else "place"
    with house.runtime.engine.connect() as connection:
        found = connection.execute(text(f"SELECT {place}, words FROM release_words ORDER BY 1"))
        return [(number, str(words)) for number, words in found]


def count(house: House, query: str) -> int:
    with house.runtime.reading() as session:
        return search_releases(session, query).page.total


def test_what_happens_to_a_release_leaves_the_index_as_a_rebuild_makes_it(either_house: House):
    house = either_house
    house.topic("sea")
    doubtful = PressRelease("Harbor opens", "Port", date(2026, 3, 1), "en", ("It opens.",), doubts=("title",))
    with house.runtime.session() as session:
        held, _ = add_release(session, doubtful, now=house.clock())
        public_id = held.public_id
        session.commit()
    plain = house.release("Sea and shore")
    with house.runtime.session() as session:
        correct_release(
            session, public_id, title="Sea harbour opens", publisher="Town", published=date(2026, 2, 1),
            actor="test", now=house.clock(),
        )  # fmt: skip
        session.commit()
    for action in (ReleaseAction.HOLD, ReleaseAction.EXCLUDE, ReleaseAction.READY, ReleaseAction.PIN):
        edit_release(house, plain, action)

    kept = index_rows(house)
    with house.runtime.engine.begin() as connection:
        assert index_again(connection, 0, 10) == [1, 2]

    assert index_rows(house) == kept
    assert len(kept) == 2
    assert (count(house, "harbor"), count(house, "harbour"), count(house, "sea")) == (0, 1, 2)


def test_a_topic_that_is_named_later_is_in_the_index(either_house: House):
    house = either_house
    house.topic("sea")
    press = PressRelease("Harbour opens", "Port", date(2026, 3, 1), "en", ("It opens.",))
    for topics in ((), ("sea",)):
        with house.runtime.session() as session:
            add_release(session, press, now=house.clock(), topics=topics)
            session.commit()

    ((_, words),) = index_rows(house)
    assert "@t1" in words and "@n1" in words


def test_a_transaction_that_is_rolled_back_leaves_no_row(either_house: House):
    press = PressRelease("Harbour opens", "Port", date(2026, 3, 1), "en", ("It opens.",))
    with either_house.runtime.session() as session:
        add_release(session, press, now=either_house.clock())
        assert search_releases(session, "harbour").page.total == 1
        session.rollback()

    assert index_rows(either_house) == []


def test_a_deleted_release_leaves_the_index(either_house: House):
    release_id = either_house.release("Harbour opens")
    with either_house.runtime.session() as session:
        session.delete(session.get_one(Release, release_id))
        session.commit()

    assert index_rows(either_house) == []


@pytest.mark.parametrize("state", list(ReleaseState))
def test_releases_of_the_version_before_are_indexed_in_batches(either_house: House, state):
    house = either_house
    for number in range(5):
        house.release(f"Harbour {number}", state=state)
    complete = index_rows(house)
    with house.runtime.engine.begin() as connection:
        # As that version stores them.
        connection.execute(text("UPDATE release SET place = NULL"))
        connection.execute(text("DELETE FROM release_words"))

    done = []
    while not done or done[-1]:
        with house.runtime.engine.begin() as connection:
            done.append(index_missing(connection, 2))

    assert done == [2, 2, 1, 0]
    assert index_rows(house) == complete
