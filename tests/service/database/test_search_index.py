"""An upgrade fills the search index, and a command rebuilds it."""

from __future__ import annotations

from house import House
from sqlalchemy import text

from newsletter.releases.search.find import search_releases
from newsletter.service.database.search_index import fill_index, rebuild_index


def empty(house: House) -> None:
    with house.runtime.engine.begin() as connection:
        connection.execute(text("UPDATE release SET place = NULL"))
        connection.execute(text("DELETE FROM release_words"))


def found(house: House) -> int:
    with house.runtime.reading() as session:
        return search_releases(session, "harbour").page.total


def test_what_is_missing_is_filled_in(either_house: House):
    for number in range(3):
        either_house.release(f"Harbour {number}")
    empty(either_house)
    assert found(either_house) == 0

    assert fill_index(either_house.runtime.engine) == 3
    assert fill_index(either_house.runtime.engine) == 0
    assert found(either_house) == 3


def test_filling_stops_when_asked_and_continues_later(either_house: House):
    either_house.release("Harbour")
    empty(either_house)

    assert fill_index(either_house.runtime.engine, stopping=lambda: True) == 0
    assert fill_index(either_house.runtime.engine) == 1


def test_the_index_is_built_anew_in_batches(either_house: House):
    for number in range(3):
        either_house.release(f"Harbour {number}")
    with either_house.runtime.engine.begin() as connection:
        connection.execute(text("DELETE FROM release_words"))

    assert list(rebuild_index(either_house.runtime.engine, at_once=2)) == [2, 3]
    assert found(either_house) == 3
