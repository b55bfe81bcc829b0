"""Tests of trying an address before it is a source."""

from __future__ import annotations

import pytest
from press_site import HERE, News, Site
from servers.web import answer, serving

from newsletter.errors import InputError
from newsletter.ingest.guard import Allowed
from newsletter.ingest.retrieve import Retriever
from newsletter.ingest.sources.trial import try_address

RETRIEVER = Retriever("newsletter test", HERE)


@pytest.fixture
def site():
    with serving() as server:
        made = Site(server)
        made.show(News("The quay opens", "1"), News("The ferry is late", "2"))
        yield made


def test_a_feed_is_read_and_its_place_is_told(site: Site):
    site.server.answers["/old"] = answer(b"", 301, {"Location": site.path})
    site.server.answers["/today"] = answer(b"", 302, {"Location": site.path})

    trial = try_address(RETRIEVER, site.url)

    assert [each.title for each in trial.items] == ["The quay opens", "The ferry is late"]
    assert (trial.url, trial.kind, trial.found) == (site.url, "RSS 2.0", ())
    assert try_address(RETRIEVER, site.server.url("/old")).url == site.url
    assert try_address(RETRIEVER, site.server.url("/today")).url == site.server.url("/today")


def test_a_page_that_names_its_feed_leads_to_it(site: Site):
    link = f'<link rel="alternate" type="application/rss+xml" href="{site.path}">'
    site.server.answers["/"] = answer(f"<!doctype html><html><head>{link}</head></html>".encode())

    trial = try_address(RETRIEVER, site.server.url("/"))

    assert (trial.asked, trial.url) == (site.server.url("/"), site.url)
    assert len(trial.items) == 2
    assert [each.url for each in trial.found] == [site.url]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer(b"<html><p>No feed here</p></html>"), "a web page"),
        (answer(b"", 404), "status 404"),
        (answer(b"", 302, {"Location": "http://10.0.0.1/"}), "private"),
        (answer(b'<html><link rel=alternate type="application/rss+xml" href="/lost">'), "status 404"),
        (answer(b'<html><link rel=alternate type="application/rss+xml" href="http://10.0.0.1/">'), "private"),
        (answer(b'<html><link rel=alternate type="application/rss+xml" href="/">'), "The page names"),
    ],
)
def test_an_address_that_has_no_feed_says_why(site: Site, said: bytes, words: str):
    site.server.answers["/"] = said

    with pytest.raises(InputError, match=words):
        try_address(RETRIEVER, site.server.url("/"))


def test_an_address_without_a_scheme_is_https(site: Site):
    with pytest.raises(InputError, match="https://127"):
        try_address(RETRIEVER, f"127.0.0.1:{site.server.port}/")
    with pytest.raises(InputError, match="loopback"):
        try_address(Retriever("newsletter test", Allowed()), site.url)
