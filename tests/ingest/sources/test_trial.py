"""Tests of trying an address before it is a source."""

from __future__ import annotations

import pytest
from press_site import HERE, News, Site
from servers.web import answer, serving

from newsletter.errors import InputError
from newsletter.ingest.guard import Allowed
from newsletter.ingest.retrieve import Limits, Retriever
from newsletter.ingest.sources.trial import PAGES_TRIED, try_address, try_page

RETRIEVER = Retriever("newsletter test", HERE)
# The server waits for a request of plain HTTP, and never answers the beginning of TLS.
IMPATIENT = Retriever("newsletter test", HERE, Limits(silent_seconds=0.5))


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
        (answer(b"<html><p>No feed here</p></html>"), "names no feed"),
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
        try_address(IMPATIENT, f"127.0.0.1:{site.server.port}/")
    with pytest.raises(InputError, match="loopback"):
        try_address(Retriever("newsletter test", Allowed()), site.url)


def show_list(site: Site) -> str:
    """Let the server have a page that lists five releases, the last one without a page of its own."""
    entries = "".join(
        f"<li>{at} March 2026 <a href='/{at}'>Quay number {at} opens today</a></li>" for at in range(1, 6)
    )
    link = f'<link rel="alternate" type="application/rss+xml" href="{site.path}">'
    site.server.answers["/list"] = answer(f"<!doctype html><title>News</title><ul>{entries}</ul>".encode())
    site.server.answers["/both"] = answer(f"<!doctype html>{link}<ul>{entries}</ul>".encode())
    for at in range(2, 6):
        text = "<p>All ferries use the new quay from April on, said the port's director.</p>"
        site.server.answers[f"/{at}"] = answer(
            f"<!doctype html><h1>Quay number {at} opens today</h1>{text}".encode()
        )
    return site.server.url("/list")


def test_a_page_that_lists_releases_shows_them_and_reads_the_first(site: Site):
    trial = try_address(RETRIEVER, show_list(site))

    assert (trial.is_page, trial.title, len(trial.items)) == (True, "News", 5)
    assert [bool(each.body) for each in trial.items] == [False, True, True, False, False]
    assert [each.partition(" ")[2] for each in trial.problems] == ["answers 404"]
    assert len(site.server.asked) == 1 + PAGES_TRIED


def test_a_page_is_tried_by_an_editors_rules_although_it_names_a_feed(site: Site):
    show_list(site)

    assert not try_address(RETRIEVER, site.server.url("/both")).is_page
    assert [each.title for each in try_page(RETRIEVER, site.server.url("/both"), pattern="/3").items] == [
        "Quay number 3 opens today"
    ]
    with pytest.raises(InputError, match="CSS selector"):
        try_page(RETRIEVER, site.server.url("/both"), selector="li[")
