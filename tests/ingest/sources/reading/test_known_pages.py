"""Tests of deciding which pages are read, and of what they add to an item."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from house import NOON, House
from ingest.sources.samples import make_sample
from press_site import HERE

from newsletter.ingest.sources.manage import add_source
from newsletter.ingest.sources.reading.known_pages import (
    AGAIN_AFTER,
    FULL_TEXT,
    KEPT,
    YOUNG,
    KnownPage,
    is_due,
    listed_hash,
    load_pages,
    needs_page,
    store_pages,
    with_page,
)
from newsletter.models import FullText, SourceKind

FEED, PAGE = SourceKind.FEED, SourceKind.PAGE
TEASER = make_sample("1", url="https://port.example/1")
LONG = replace(TEASER, paragraphs=("The quay is open. " * 40,))
FULL = make_sample("", url="https://port.example/1", paragraphs=("All ferries use it. From April on.",))


@pytest.mark.parametrize(
    ("item", "kind", "setting", "expected"),
    [
        (TEASER, FEED, FullText.AUTO, True),
        (LONG, FEED, FullText.AUTO, False),
        (replace(LONG, paragraphs=("x" * FULL_TEXT + "…",)), FEED, FullText.AUTO, True),
        (LONG, FEED, FullText.ALWAYS, True),
        (TEASER, FEED, FullText.NEVER, False),
        (replace(TEASER, url=""), FEED, FullText.ALWAYS, False),
        (TEASER, SourceKind.FOLDER, FullText.ALWAYS, False),
        (LONG, PAGE, FullText.NEVER, True),
    ],
)
def test_a_page_is_read_if_the_feed_has_only_a_teaser(item, kind, setting, expected):
    assert needs_page(item, kind, setting) is expected


def test_a_page_is_read_once_for_each_text_of_the_list():
    known = KnownPage("k", TEASER.url, listed_hash(TEASER), FULL, first_at=NOON, read_at=NOON)

    assert is_due(listed_hash(TEASER), None, FEED, NOON, waits=False)
    assert not is_due(listed_hash(TEASER), known, FEED, NOON + timedelta(days=9), waits=False)
    assert is_due(listed_hash(replace(TEASER, title="Other")), known, FEED, NOON, waits=False)
    assert is_due(listed_hash(TEASER), known, FEED, NOON, waits=True)


def test_a_young_page_of_a_list_is_read_again_after_an_hour():
    known = KnownPage("k", TEASER.url, listed_hash(TEASER), FULL, first_at=NOON, read_at=NOON)

    def due(after: timedelta) -> bool:
        return is_due(listed_hash(TEASER), known, PAGE, NOON + after, waits=False)

    assert not due(AGAIN_AFTER - timedelta(minutes=1))
    assert due(AGAIN_AFTER)
    assert not due(YOUNG + timedelta(minutes=1))


def test_a_feed_keeps_title_and_date_and_gets_the_text_of_the_page():
    dated = replace(TEASER, published=date(2026, 3, 3))
    page = replace(FULL, title="Other", publisher="Other", image_url="https://port.example/a.jpg")

    made = with_page(dated, page, FEED)

    assert (made.title, made.publisher, made.published) == (TEASER.title, TEASER.publisher, date(2026, 3, 3))
    assert (made.paragraphs, made.image_url) == (FULL.paragraphs, page.image_url)


def test_a_page_with_another_text_does_not_replace_the_teaser():
    login = replace(FULL, paragraphs=("Please sign in with your account to go on with reading this site.",))

    assert with_page(TEASER, login, FEED) == TEASER
    assert with_page(TEASER, None, FEED) == TEASER


def test_a_page_of_a_list_is_completed_by_the_list():
    listed = replace(TEASER, title="From the list", published=date(2026, 3, 3))

    made = with_page(listed, replace(FULL, title=""), PAGE)

    assert (made.title, made.published, made.paragraphs) == (
        "From the list",
        date(2026, 3, 3),
        FULL.paragraphs,
    )


def test_pages_are_stored_and_forgotten_when_they_are_not_listed_any_more(either_house: House):
    with either_house.runtime.session() as session:
        source = add_source(session, "http://127.0.0.1:8080/", allowed=HERE, actor="test", now=NOON)
        store_pages(session, source.id, [KnownPage("a", "u", "h", FULL, "e", "l", "b", 1)], NOON)
        session.commit()

        (page,) = load_pages(session, source.id, ["a", "b"]).values()
        assert page == KnownPage("a", "u", "h", FULL, "e", "l", "b", 1, NOON, NOON)

        store_pages(session, source.id, [KnownPage("b", "v", "h")], NOON + KEPT + timedelta(days=1))
        assert list(load_pages(session, source.id, ["a", "b"])) == ["b"]
