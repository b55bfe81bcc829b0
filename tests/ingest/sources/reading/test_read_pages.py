"""Tests of fetching the pages of items, with conditional requests and limits."""

from __future__ import annotations

import pytest
from house import NOON
from ingest.sources.samples import make_sample
from press_site import HERE
from servers.web import Asked, WebServer, answer, serving

from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.ingest.retrieve import Retriever
from newsletter.ingest.sources.listing import Listed
from newsletter.ingest.sources.reading.read_pages import PageReader
from newsletter.models import FullText, SourceKind

TEXT = "All ferries use it. The harbour has opened its new quay, and ferries sail from it in April."


@pytest.fixture(scope="module")
def reader():
    with IsolatedReader() as made:
        yield made


@pytest.fixture
def server():
    with serving() as made:
        yield made


@pytest.fixture
def pages(reader: IsolatedReader) -> PageReader:
    return PageReader(Retriever("newsletter test", HERE), reader, SourceKind.PAGE, FullText.AUTO)


def page(text: str = TEXT) -> bytes:
    return f"<!doctype html><title>The quay opens</title><h1>The quay opens</h1><p>{text}</p>".encode()


def listed(server: WebServer, *paths: str) -> list[Listed]:
    return [Listed(path, make_sample(url=server.url(path), paragraphs=())) for path in paths]


def test_a_page_is_fetched_by_a_conditional_request_while_it_settles(server: WebServer, pages: PageReader):
    def serve(asked: Asked) -> bytes:
        if asked.headers.get("if-none-match") == '"1"':
            return answer(b"", 304, {"ETag": '"1"'}, length=False)
        return answer(page(), headers={"ETag": '"1"', "Content-Type": "text/html"})

    server.answers["/1"] = serve
    first = pages.read(listed(server, "/1"), {}, (), NOON)
    known = {each.key: each for each in first.pages}

    second = pages.read(listed(server, "/1"), known, {"/1"}, NOON)

    assert [each.item.body for each in second.listed] == [TEXT]
    assert [each.headers.get("if-none-match") for each in server.asked] == [None, '"1"']


def test_pages_beyond_the_limit_wait_for_the_next_fetch(server: WebServer, pages: PageReader):
    server.answers |= {f"/{at}": answer(page(f"{TEXT} {at}")) for at in range(3)}

    first = pages.read(listed(server, "/0", "/1", "/2"), {}, (), NOON, most=2)

    assert ([each.key for each in first.listed], first.unread) == (["/0", "/1"], 1)


def test_an_item_is_lost_when_its_page_was_missing_twice(server: WebServer, pages: PageReader):
    server.answers["/1"] = answer(page())
    read = pages.read(listed(server, "/1"), {}, (), NOON)
    server.answers["/1"] = answer(b"", 410)

    found = []
    for _ in range(2):
        read = pages.read(listed(server, "/1"), {each.key: each for each in read.pages}, {"/1"}, NOON)
        found.append((read.lost, len(read.listed)))

    assert found == [(set(), 1), ({"/1"}, 1)]


def test_a_page_that_cannot_be_read_is_no_item_of_a_list(server: WebServer, pages: PageReader):
    server.answers |= {"/1": answer(b"", 500), "/2": answer(b"<html><body></body></html>")}

    read = pages.read(
        [*listed(server, "/1", "/2"), Listed("3", make_sample(url="http://10.0.0.1/"))], {}, (), NOON
    )

    assert read.listed == []
    assert [each.rpartition(" ")[2] for each in read.problems[:1]] == ["500"]
    assert "private" in read.problems[2]


def test_a_feed_keeps_its_teaser_if_the_page_cannot_be_read(server: WebServer, reader: IsolatedReader):
    feeds = PageReader(Retriever("newsletter test", HERE), reader, SourceKind.FEED, FullText.AUTO)

    read = feeds.read([Listed("1", make_sample("1", url=server.url("/lost")))], {}, (), NOON)

    assert [each.item.body for each in read.listed] == ["All ferries use it."]
