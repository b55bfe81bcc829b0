"""Links are tried through the guard, each once, and only what is gone, broken or refused counts."""

from __future__ import annotations

import pytest
from servers.web import WebServer, answer, serving

from newsletter.ingest.check_links import LINK_LIMITS, MOST_LINKS, find_dead_links
from newsletter.ingest.guard import Allowed
from newsletter.ingest.retrieve import Retriever

HERE = Retriever("newsletter test", Allowed.of(["127.0.0.0/8"]), LINK_LIMITS)


@pytest.fixture
def server():
    with serving() as running:
        yield running


def test_only_links_that_do_not_work_are_named(server: WebServer):
    server.answers["/good"] = answer(b"here")
    server.answers["/moved"] = answer(b"", 301, {"Location": "/good"})
    server.answers["/no-robots"] = answer(b"", 403)
    server.answers["/large"] = answer(b"x" * (LINK_LIMITS.body_bytes + 1))
    server.answers["/gone"] = answer(b"", 410)
    server.answers["/broken"] = answer(b"", 500)
    urls = [
        server.url(f"/{each}") for each in ("good", "moved", "no-robots", "large", "gone", "broken", "gone")
    ]

    dead = find_dead_links(HERE, urls)

    assert [url.rpartition("/")[2] for url, _ in dead] == ["gone", "broken"]
    assert [reason for _, reason in dead] == ["the site answers 410", "the site has an error, 500"]
    assert [each.path for each in server.asked].count("/gone") == 1


def test_a_link_into_our_network_is_not_tried(server: WebServer):
    server.answers["/good"] = answer(b"here")

    ((url, reason),) = find_dead_links(Retriever("newsletter test"), [server.url("/good")])

    assert (url, "127.0.0.1" in reason) == (server.url("/good"), True)
    assert server.asked == []


def test_only_so_many_links_are_tried(server: WebServer):
    server.answers["/gone"] = answer(b"", 410)

    dead = find_dead_links(HERE, [server.url(f"/gone?{number}") for number in range(MOST_LINKS + 5)])

    assert len(dead) == MOST_LINKS
