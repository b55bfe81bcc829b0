"""Tests of polling pages that list releases, and feeds whose texts stand on pages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from house import House
from press_site import Desk, News, Site, desk_of
from servers.web import WebServer, answer, serving

from newsletter.ingest.retrieve import Limits
from newsletter.models import FetchOutcome, FullText, SourceKind
from newsletter.notices import open_notices

TEXT = "The harbour has opened its new quay number {}, and all ferries use it from April on."


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def desk(house: House):
    return desk_of(house, Limits(seconds=10))


def show(server: WebServer, *numbers: int, note: str = "") -> None:
    """Let /news list releases, each with a page."""
    entries = "".join(
        f"<li>{number} March 2026 <a href='/news/{number}'>Quay number {number} opens to all ferries</a></li>"
        for number in numbers
    )
    server.answers["/news"] = answer(
        f"<!doctype html><title>News | Port</title><ul>{entries}</ul>{note}".encode()
    )
    for number in numbers:
        server.answers.setdefault(f"/news/{number}", answer(page(number)))


def page(number: int, text: str = "") -> bytes:
    title = f"Quay number {number} opens to all ferries"
    head = f"<!doctype html><title>{title}</title><meta property=og:site_name content='Port of Halden'>"
    return f"{head}<h1>{title}</h1><p>{number} March 2026</p><p>{text or TEXT.format(number)}</p>".encode()


def add_page(desk: Desk, server: WebServer, **given: object) -> str:
    return desk.add(server.url("/news"), kind=SourceKind.PAGE, **given)


def titles(*numbers: int) -> list[str]:
    return [f"Quay number {number} opens to all ferries" for number in numbers]


def test_releases_of_a_list_come_in_with_what_their_pages_say(desk: Desk, server: WebServer):
    show(server, 3, 2)
    source = add_page(desk, server, settle_minutes=0)

    tally = desk.poll()

    release = desk.release(titles(3)[0])
    assert tally.added == 2
    assert list(desk.releases()) == titles(2, 3)
    assert (release.body_text, release.publisher) == (TEXT.format(3), "Port of Halden")
    assert release.canonical_url == server.url("/news/3")
    assert release.published_on.isoformat() == "2026-03-03"
    assert desk.source(source).name == "News | Port"


def test_an_unchanged_list_costs_one_request_and_a_new_entry_one_page(desk: Desk, server: WebServer):
    show(server, 2, 1)
    source = add_page(desk, server, settle_minutes=0)
    desk.poll(source)
    desk.house.clock.pass_(minutes=20)
    server.asked.clear()

    desk.poll(source)
    show(server, 3, 2, 1)
    desk.house.clock.pass_(minutes=20)
    desk.poll(source)

    assert [each.path for each in server.asked] == ["/news", "/news", "/news/3"]
    assert [each.outcome for each in desk.history(source)][1] is FetchOutcome.UNCHANGED


def test_a_release_settles_by_its_page_and_not_by_the_list(desk: Desk, server: WebServer):
    show(server, 2, 1)
    source = add_page(desk, server)
    desk.poll(source)
    server.answers["/news/2"] = answer(
        page(2, "The port says that the quay opens in May, and not in April at all.")
    )
    desk.house.clock.pass_(minutes=11)

    desk.poll(source)

    assert desk.releases() == {titles(1)[0]: "ready", titles(2)[0]: "held settling"}
    assert "in May" in desk.release(titles(2)[0]).body_text
    desk.house.clock.pass_(minutes=11)
    desk.poll(source)
    assert desk.releases()[titles(2)[0]] == "ready"


def test_a_release_whose_page_is_missing_twice_while_it_settles_is_gone(desk: Desk, server: WebServer):
    show(server, 2, 1)
    source = add_page(desk, server)
    desk.poll(source)
    server.answers["/news/2"] = answer(b"", 404)

    states = []
    for _ in range(2):
        desk.house.clock.pass_(minutes=2)
        desk.poll(source)
        states.append(desk.releases()[titles(2)[0]])
    server.answers["/news/2"] = answer(page(2))
    desk.house.clock.pass_(minutes=2)
    show(server, 2, 1, note="changed")
    desk.poll(source)

    assert states == ["held settling", "held gone"]
    assert desk.releases()[titles(2)[0]] == "held settling"


def test_a_release_that_is_not_listed_any_more_is_gone_while_it_settles(desk: Desk, server: WebServer):
    show(server, 4, 3, 2, 1)
    source = add_page(desk, server)
    desk.poll(source)
    show(server, 4, 2, 1)

    for _ in range(2):
        desk.house.clock.pass_(minutes=2)
        desk.poll(source)

    assert desk.releases()[titles(3)[0]] == "held gone"
    with desk.house.runtime.reading() as session:
        assert [each.kind for each in open_notices(session)] == ["items_gone"]


def test_a_page_without_a_list_says_so_and_takes_a_rule(desk: Desk, server: WebServer):
    server.answers |= {
        "/news": answer(b"<!doctype html><p><a href='/news/7'>Seven</a></p>"),
        "/news/7": answer(page(7)),
    }
    source = add_page(desk, server, settle_minutes=0)
    ruled = desk.add(
        server.url("/news?all=1"), kind=SourceKind.PAGE, link_pattern="/news/*", settle_minutes=0
    )
    server.answers["/news?all=1"] = server.answers["/news"]

    desk.poll()

    assert desk.history(source)[-1].outcome is FetchOutcome.UNREADABLE
    assert "CSS selector" in desk.history(source)[-1].message
    assert desk.history(ruled)[-1].added == 1


def test_many_pages_are_read_over_several_fetches_and_all_are_the_backlog(desk: Desk, server: WebServer):
    show(server, *range(29, 0, -1))
    source = add_page(desk, server, settle_minutes=0, backlog="none")

    first = desk.poll(source)
    second = desk.poll(source)

    assert (first.added, second.added) == (25, 4)
    assert all(desk.release(title).is_kept_back for title in titles(29, 1))


def test_a_teaser_gets_its_text_from_its_page_once(desk: Desk, server: WebServer):
    site = Site(server)
    teaser = News(
        "Quay number 2 opens", "2", "All ferries use it …", "/news/2", datetime(2026, 3, 2, tzinfo=UTC)
    )
    server.answers["/news/2"] = answer(page(2, f"All ferries use it. {TEXT.format(2)}"))
    site.show(teaser)
    source = desk.add(site, settle_minutes=0, full_text=FullText.AUTO)

    desk.poll(source)
    site.show(News("A ferry is late", "3", "Fog keeps it from sailing today."), teaser)
    desk.poll(source)

    assert desk.release("Quay number 2 opens").body_text == f"All ferries use it. {TEXT.format(2)}"
    assert [each.path for each in server.asked].count("/news/2") == 1


def test_a_feed_whose_texts_are_to_stay_is_not_followed_to_its_pages(desk: Desk, server: WebServer):
    site = Site(server)
    site.show(News("Quay number 2 opens", "2", "All ferries use it …", "/news/2"))
    desk.add(site, settle_minutes=0, full_text=FullText.NEVER)

    desk.poll()

    assert [each.path for each in server.asked] == [site.path]
