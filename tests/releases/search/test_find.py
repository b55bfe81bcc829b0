"""Search finds the public releases with all words, newest first, on both databases."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from house import House
from sqlalchemy import insert

from newsletter.ingest.press.parse import PressRelease
from newsletter.models import Release, ReleaseState, Topic
from newsletter.releases.search.find import MOST_HITS, Filters, Order, search_releases
from newsletter.releases.search.index import index_missing
from newsletter.releases.store import add_release

HOSTILE = [
    '"', "'", '"harbour', "'harbour'", "harbour'); DROP TABLE release; --", "harbour AND", "AND OR NOT NEAR",
    "NEAR(harbour", "harbour*", "*", "^harbour", "words:harbour", "harbour -opens", "(((", ")", "a & | ! b",
    "harbour\0opens", "\0", "harbour\\", "%", "_", "{}[]", "<->", "!!", ":*", "\ud800harbour",
    "\u202eharbour", "x" * 10_000, "harbour " * 2_000, "'" * 10_000, "東" * 10_000, "…—!?。、", " \t\n",
]  # fmt: skip


def add(house: House, title: str, day: date, *, publisher: str = "Port", body: str = "", **more) -> int:
    press = PressRelease(title, publisher, day, "en", (body or f"{title}.",))
    with house.runtime.session() as session:
        made, _ = add_release(session, press, now=house.clock(), **more)
        session.commit()
        return made.id


def titles(house: House, query: str, filters: Filters | None = None, **more) -> list[str]:
    with house.runtime.reading() as session:
        found = search_releases(session, query, filters or Filters(), public_at=house.clock(), **more)
        return [each.title for each in found.page.items]


def test_hits_have_all_words_and_the_newest_is_first(either_house: House):
    house = either_house
    add(house, "Harbour closes", date(2026, 1, 2))
    add(house, "Harbour opens", date(2026, 3, 2))
    add(house, "Old harbour opens", date(2025, 3, 2))
    add(house, "東京都庁が開く", date(2026, 2, 2))

    assert titles(house, "HARBOUR") == ["Harbour opens", "Harbour closes", "Old harbour opens"]
    assert titles(house, "opens harbour") == ["Harbour opens", "Old harbour opens"]
    assert titles(house, "東京") == titles(house, "庁が") == ["東京都庁が開く"]
    assert titles(house, "京東") == titles(house, "harbours") == titles(house, "harbour 東京") == []


def test_filters_by_topic_newsletter_publisher_and_date(either_house: House):
    house = either_house
    sea = house.topic("sea")
    other = house.newsletter("other")
    quay = house.topic("quay", newsletter=other)
    add(house, "Harbour by the sea", date(2026, 1, 2), publisher="Port of Halmstrand")
    add(house, "Harbour with a quay", date(2026, 2, 2), publisher="Town")

    assert titles(house, "harbour", Filters(topic_id=sea)) == ["Harbour by the sea"]
    assert titles(house, "harbour", Filters(topic_id=quay)) == ["Harbour with a quay"]
    assert titles(house, "harbour", Filters(newsletter_id=other)) == ["Harbour with a quay"]
    assert titles(house, "harbour", Filters(publisher="port OF halmstrand")) == ["Harbour by the sea"]
    assert titles(house, "harbour", Filters(since=date(2026, 1, 3))) == ["Harbour with a quay"]
    assert titles(house, "harbour", Filters(until=date(2026, 2, 1))) == ["Harbour by the sea"]
    edge = Filters(since=date(2026, 1, 2), until=date(2026, 1, 2))
    assert titles(house, "harbour", edge) == ["Harbour by the sea"]


def test_by_relevance_the_releases_with_the_words_in_the_title_come_first(either_house: House):
    house = either_house
    add(house, "Ferry news", date(2026, 3, 2), body="The harbour opens.")
    add(house, "Harbour news", date(2026, 1, 2))

    assert titles(house, "harbour") == ["Ferry news", "Harbour news"]
    assert titles(house, "harbour", order=Order.RELEVANCE) == ["Harbour news", "Ferry news"]


def test_only_public_releases_are_found_unless_an_editor_searches(either_house: House):
    house = either_house
    add(house, "Harbour in secret", date(2026, 1, 2), state=ReleaseState.HELD)
    embargoed = add(house, "Harbour soon", date(2026, 1, 3))
    with house.runtime.session() as session:
        session.get_one(Release, embargoed).embargo_until = house.clock() + timedelta(hours=1)
        session.commit()

    assert titles(house, "harbour") == []
    with house.runtime.reading() as session:
        everything = search_releases(session, "harbour")
        held = search_releases(session, "harbour", Filters(state=ReleaseState.HELD))
        assert [each.title for each in everything.page.items] == ["Harbour soon", "Harbour in secret"]
        assert [each.title for each in held.page.items] == ["Harbour in secret"]


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_queries_are_harmless(either_house: House, query):
    add(either_house, "Harbour opens", date(2026, 1, 2))

    for order in Order:
        assert titles(either_house, query, order=order) in ([], ["Harbour opens"])
        assert titles(either_house, "harbour", Filters(publisher=query), order=order) in (
            [],
            ["Harbour opens"],
        )
    assert titles(either_house, "harbour") == ["Harbour opens"]


def test_a_query_without_a_word_finds_nothing(either_house: House):
    add(either_house, "Harbour opens", date(2026, 1, 2))

    assert titles(either_house, "") == titles(either_house, "?!") == []


def test_counts_end_at_a_thousand_and_pages_hold_each_hit_once(either_house: House):
    house = either_house
    topic = house.topic("sea")
    many = MOST_HITS + 150
    day = date(2020, 1, 1)
    rows = [
        {
            "id": number,
            "public_id": f"r{number}",
            "title": f"Harbour {number}",
            "published_at": house.clock(),
            "published_on": day + timedelta(days=number),
            "body_html": "",
            "body_text": "harbour",
            "content_hash": str(number),
            # Every tenth is held, so that the hits are read in more than one batch.
            "state": ReleaseState.HELD if number % 10 == 0 else ReleaseState.READY,
            "created_at": house.clock(),
        }
        for number in range(1, many * 10 // 9 + 1)
    ]
    with house.runtime.engine.begin() as connection:
        connection.execute(insert(Release), rows)
        assert connection.execute(Topic.__table__.select()).first().id == topic
        while index_missing(connection, 500):
            pass

    with house.runtime.reading() as session:
        pages = [
            search_releases(session, "harbour", public_at=house.clock(), page=number, per_page=100)
            for number in range(1, 12)
        ]
    assert all(each.is_more and each.page.total == MOST_HITS for each in pages)
    shown = [release.id for each in pages for release in each.page.items]
    public = [each["id"] for each in reversed(rows) if each["state"] is ReleaseState.READY]
    assert shown == public[:MOST_HITS]
