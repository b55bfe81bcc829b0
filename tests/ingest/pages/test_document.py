"""Tests of reading a release from a page or a text, in a file or at a URL."""

from __future__ import annotations

from datetime import date

import pytest
from press_site import HERE
from servers.web import WebServer, answer, serving

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.ingest.pages.document import fetch_release, is_url, read_release
from newsletter.ingest.retrieve import Retriever

RETRIEVER = Retriever("newsletter test", HERE)
TEXT = (
    "The quay opens in April\n\n3 March 2026\n\nThe harbour has opened its new quay, and all ferries use it."
)
HEAD = "<!doctype html><title>The quay opens</title>"
PAGE = f"{HEAD}<h1>The quay opens</h1><p>{TEXT.splitlines()[-1]}</p>".encode()


@pytest.fixture(scope="module")
def reader():
    with IsolatedReader() as made:
        yield made


@pytest.fixture(scope="module")
def server():
    with serving() as made:
        yield made


def test_a_page_and_a_text_are_told_apart_by_their_content(reader: IsolatedReader):
    assert read_release(reader, PAGE, "x").title == "The quay opens"
    assert read_release(reader, TEXT.encode(), "x").title == "The quay opens in April"
    assert read_release(reader, b"<p>" + PAGE[60:], "x.html").body


def test_a_url_is_fetched_and_read(server: WebServer, reader: IsolatedReader):
    server.answers["/quay"] = answer(b"", 301, {"Location": "/new/quay"})
    server.answers["/new/quay"] = answer(PAGE, headers={"Content-Type": "text/html; charset=utf-8"})
    server.answers["/quay.txt"] = answer(TEXT.encode(), headers={"Content-Type": "text/plain"})

    page = fetch_release(RETRIEVER, reader, server.url("/quay"))
    text = fetch_release(RETRIEVER, reader, server.url("/quay.txt"), date(2026, 3, 3))

    assert (page.title, page.canonical_url) == ("The quay opens", server.url("/new/quay"))
    assert text.published == date(2026, 3, 3)


def test_a_url_that_cannot_be_read_says_why(server: WebServer, reader: IsolatedReader):
    with pytest.raises(ReleaseUnreadable, match="the server answers 404"):
        fetch_release(RETRIEVER, reader, server.url("/lost"))
    with pytest.raises(ReleaseUnreadable, match="private"):
        fetch_release(RETRIEVER, reader, "http://10.0.0.1/")


def test_only_http_addresses_are_urls():
    assert is_url("HTTPS://port.example/")
    assert not is_url("file:///etc/passwd")
    assert not is_url("quay.html")
