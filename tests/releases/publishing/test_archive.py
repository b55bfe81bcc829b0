"""The lists of the archive and the releases of an issue, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time

import pytest
from house import House, edit_release

from newsletter.errors import NotFound
from newsletter.ingest.press.parse import PressRelease
from newsletter.models import Release, Subscription
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.publishing.archive import (
    Period,
    archive_months,
    archive_years,
    find_issue,
    list_archive,
    newest_public,
)
from newsletter.releases.revisions.revise import revise
from newsletter.releases.revisions.store import Texts
from newsletter.releases.store import add_release


def add(house: House, title: str, day: date, hour: int = 12) -> int:
    press = PressRelease(title, "Port", day, "en", (f"{title}.",))
    with house.runtime.session() as session:
        made, _ = add_release(session, press, now=house.clock())
        made.published_at = datetime.combine(day, time(hour), UTC)
        session.commit()
        return made.id


def listed(house: House, **more) -> list[str]:
    with house.runtime.reading() as session:
        return [each.title for each in list_archive(session, house.clock(), **more).items]


def test_lists_are_by_date_then_by_time(either_house: House):
    house = either_house
    topic = house.topic("sea")
    add(house, "Sea at noon", date(2026, 2, 1))
    add(house, "Sea in the evening", date(2026, 2, 1), 20)
    add(house, "Sea in the morning", date(2026, 2, 1), 8)
    add(house, "Sea before", date(2026, 1, 31), 23)

    expected = ["Sea in the evening", "Sea at noon", "Sea in the morning", "Sea before"]
    assert listed(house) == expected
    assert listed(house, topic_id=topic) == expected
    assert listed(house, newsletter_id=1) == expected


def test_a_corrected_date_moves_a_release_in_its_topic(either_house: House):
    house = either_house
    topic = house.topic("sea")
    first = add(house, "Sea one", date(2026, 2, 1))
    add(house, "Sea two", date(2026, 2, 2))
    with house.runtime.session() as session:
        session.get_one(Release, first).published_on = date(2026, 2, 3)
        session.commit()

    assert listed(house, topic_id=topic) == ["Sea one", "Sea two"]


def test_pages_hold_each_release_once_and_say_whether_another_follows(either_house: House):
    house = either_house
    topic = house.topic("sea")
    for day in range(1, 8):
        add(house, f"Sea {day}", date(2026, 2, day))
    edit_release(house, 4, ReleaseAction.EXCLUDE)

    for limits in ({}, {"topic_id": topic}, {"newsletter_id": 1}, {"period": Period(2026, 2)}):
        with house.runtime.reading() as session:
            pages = [list_archive(session, house.clock(), page=page, per_page=3, **limits) for page in (1, 2)]
            with pytest.raises(NotFound):
                list_archive(session, house.clock(), page=3, per_page=3, **limits)
        assert [[each.title for each in page.items] for page in pages] == [
            ["Sea 7", "Sea 6", "Sea 5"], ["Sea 3", "Sea 2", "Sea 1"],
        ]  # fmt: skip
        assert [page.has_next for page in pages] == [True, False]


def test_years_and_months_are_those_with_public_releases(either_house: House):
    house = either_house
    for day in (date(2020, 12, 31), date(2024, 1, 1), date(2024, 11, 5), date(2024, 11, 6), date(2025, 5, 5)):
        add(house, f"Release of {day}", day)
    edit_release(house, 5, ReleaseAction.HOLD)

    with house.runtime.reading() as session:
        assert archive_years(session, house.clock()) == [2024, 2020]
        assert archive_months(session, house.clock(), 2024) == [1, 11]
        assert archive_months(session, house.clock(), 2025) == []
        assert archive_months(session, house.clock(), 9999) == []
    assert listed(house, period=Period(2020)) == ["Release of 2020-12-31"]
    assert listed(house, period=Period(2024, 1)) == ["Release of 2024-01-01"]


def test_feeds_are_in_the_order_of_becoming_public(either_house: House):
    house = either_house
    topic = house.topic("sea")
    add(house, "Sea of tomorrow", date(2026, 3, 11))
    house.clock.pass_(hours=1)
    add(house, "Sea of last year", date(2025, 3, 1))

    for limits in ({}, {"topic_id": topic}, {"newsletter_id": 1}):
        with house.runtime.reading() as session:
            found = newest_public(session, house.clock(), 10, **limits)
            assert [each.title for each in found] == ["Sea of last year", "Sea of tomorrow"]


def subscribe(house: House, *topics: int) -> None:
    subscriber = house.add_subscriber(*topics)
    with house.runtime.session() as session:
        for each in session.query(Subscription).filter_by(subscriber_id=subscriber):
            each.started_sequence = each.covered_to = 0
        session.commit()


def issue(house: House, number: int, newsletter: int = 1) -> list[str]:
    with house.runtime.reading() as session:
        return [each.title for each in find_issue(session, newsletter, number, house.clock()).releases]


def test_an_issue_has_what_it_brought_to_anybody_and_is_public_now(either_house: House):
    house = either_house
    sea, energy = house.topic("sea"), house.topic("energy")
    add(house, "Sea one", date(2026, 2, 1))
    add(house, "Energy two", date(2026, 2, 2))
    third = add(house, "Sea three", date(2026, 2, 3))
    subscribe(house, sea)
    subscribe(house, energy)
    house.send()

    assert issue(house, 1) == ["Sea three", "Energy two", "Sea one"]
    edit_release(house, third, ReleaseAction.EXCLUDE)
    assert issue(house, 1) == ["Energy two", "Sea one"]
    # It was sent in this issue, so it is there again.
    edit_release(house, third, ReleaseAction.READY)
    assert issue(house, 1) == ["Sea three", "Energy two", "Sea one"]


def test_a_release_that_was_held_before_the_issue_was_sent_is_not_in_it(either_house: House):
    house = either_house
    sea = house.topic("sea")
    add(house, "Sea one", date(2026, 2, 1))
    held = add(house, "Sea two", date(2026, 2, 2))
    subscribe(house, sea)
    house.open()
    edit_release(house, held, ReleaseAction.HOLD)
    house.drain()
    edit_release(house, held, ReleaseAction.READY)

    assert issue(house, 1) == ["Sea one"]
    house.send()
    assert issue(house, 2) == ["Sea two"]


def test_an_issue_that_has_reached_nobody_is_not_there(either_house: House):
    house = either_house
    subscribe(house, house.topic("sea"))
    add(house, "Sea one", date(2026, 2, 1))
    house.open()

    for number in (0, 1, 2, 2**31, 10**30):
        with pytest.raises(NotFound):
            issue(house, number)


def test_a_release_that_was_corrected_stays_in_the_issue_that_brought_it(either_house: House):
    house = either_house
    sea = house.topic("sea")
    release = add(house, "Sea one", date(2026, 2, 1))
    subscribe(house, sea)
    house.send()
    house.topic("waves")
    house.clock.pass_(hours=1)
    with house.runtime.session() as session:
        stored = session.get_one(Release, release)
        texts = replace(Texts.of(stored), title="Sea and waves")
        # The new topic's pair has a later sequence.
        revise(session, stored, texts, made_by="test", now=house.clock())
        session.commit()

    assert issue(house, 1) == ["Sea and waves"]
