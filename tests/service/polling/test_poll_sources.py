"""Tests of polling sources from the server's answer to the stored release."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from house import NOON, House
from pictures import SVG, photo
from press_site import Desk, News, Site, desk_of
from servers.web import Asked, WebServer, answer, serving
from sqlalchemy import update

from newsletter.images.encoder import ImageEncoder
from newsletter.ingest.retrieve import Limits
from newsletter.models import FetchOutcome, Source, SourceItem, SourceState
from newsletter.notices import open_notices
from newsletter.releases.editing.edit_fields import edit_release

QUAY = News("The quay opens", "1", date=datetime(2026, 3, 10, 6, 30, tzinfo=UTC))
FERRY = News("The ferry is late", "2", "Fog keeps the ferry from sailing to the islands today.")


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def desk(either_house: House):
    return desk_of(either_house, Limits(seconds=10))


@pytest.fixture
def site(server: WebServer) -> Site:
    return Site(server)


def notices(desk: Desk) -> list[str]:
    with desk.house.runtime.reading() as session:
        return [each.kind for each in open_notices(session)]


def test_an_item_becomes_a_release_with_all_its_fields(desk: Desk, site: Site):
    desk.house.topic("quay")
    site.show(News("The quay opens", "1", "<p>All <b>ferries</b> use it.</p>", "/quay", QUAY.date))
    source = desk.add(site, settle_minutes=0)

    tally = desk.poll()

    release = desk.release("The quay opens")
    assert (tally.fetched, tally.added) == (1, 1)
    assert desk.releases() == {"The quay opens": "ready"}
    assert release.body_html == "<p>All <b>ferries</b> use it.</p>"
    assert (release.body_text, release.summary) == ("All ferries use it.", "All ferries use it.")
    assert release.canonical_url == site.server.url("/quay")
    assert (release.published_on, release.published_at) == (date(2026, 3, 10), QUAY.date)
    assert (release.publisher, release.language) == (f"Press {site.path}", "en")
    assert [link.sequence for link in release.topic_links] == [1]
    assert desk.source(source).name == f"Press {site.path}"


def test_the_history_says_everything_that_was_left_out(desk: Desk, server: WebServer):
    first, same = (f"<item><title>{each}</title><guid>urn:x:1</guid></item>" for each in ("Quay", "Fog"))
    missing = server.url("/missing")
    teaser = f"<item><title>Ferry</title><link>{missing}</link><description>Late…</description></item>"
    server.answers["/feed"] = answer(
        f"<rss version='2.0'><channel>{first}{same}{teaser}<item/></channel></rss>".encode()
    )
    source = desk.add(server.url("/feed"), settle_minutes=0, full_text="auto")

    desk.poll()

    assert desk.history(source)[-1].message == (
        "Left out: 1 with the identifier of another item. Left out: 1 without a title and a text. "
        f"Not read: {missing} answers 404"
    )


def test_a_release_whose_text_was_cut_is_held_until_the_source_shortens_it(desk: Desk, site: Site):
    source = desk.add(site, settle_minutes=0, backlog="all")
    site.show(News("The quay opens", "1", "All ferries use it. " * 50_001, date=QUAY.date))
    desk.poll()

    held = desk.releases()
    desk.house.clock.pass_(minutes=20)
    site.show(QUAY)
    desk.poll(source)

    assert held == {"The quay opens": "held doubt"}
    assert desk.releases() == {"The quay opens": "ready"}


def test_an_unchanged_source_costs_one_conditional_request(desk: Desk, site: Site):
    site.show(QUAY)
    source = desk.add(site, settle_minutes=0)
    desk.poll()
    desk.house.clock.pass_(minutes=20)

    desk.poll()

    first, second = site.server.asked
    assert "if-none-match" not in first.headers
    assert "if-none-match" in second.headers
    assert [each.outcome for each in desk.history(source)] == [FetchOutcome.READ, FetchOutcome.UNCHANGED]
    assert desk.source(source).next_at >= desk.house.clock() + timedelta(minutes=15)


def test_a_server_without_marks_is_read_again_only_if_its_document_changed(desk: Desk, server: WebServer):
    body = b"<rss version='2.0'><channel><item><title>The quay opens</title></item></channel></rss>"
    server.answers["/plain"] = answer(body)
    source = desk.add(server.url("/plain"), settle_minutes=0)

    desk.poll(source)
    desk.poll(source)

    assert [each.outcome for each in desk.history(source)] == [FetchOutcome.READ, FetchOutcome.UNCHANGED]


def test_equal_fetches_in_a_row_share_an_entry_of_the_history(desk: Desk, server: WebServer):
    source = desk.add(server.url("/missing"))
    for _ in range(3):
        desk.poll(source)

    (entry,) = desk.history(source)
    assert (entry.outcome, entry.status, entry.count) == (FetchOutcome.FAILED, 404, 3)
    assert entry.message == "The server answers 404 (not found)."


def test_a_source_that_moved_for_good_is_moved_once_the_new_place_was_read(desk: Desk, site: Site):
    server = site.server
    server.answers |= {
        "/old": answer(b"", 301, {"Location": site.path}),
        "/lost": answer(b"", 308, {"Location": "/page"}),
        "/page": answer(b"<html><title>Sold</title></html>"),
        "/today": answer(b"", 302, {"Location": site.path}),
    }
    site.show(QUAY)
    old = desk.add(server.url("/old"))
    lost = desk.add(server.url("/lost"))
    desk.poll()
    today = desk.add(server.url("/today"))
    desk.poll()

    assert desk.source(old).url == site.url
    assert "It moved from" in desk.history(old)[-1].message
    assert desk.source(lost).url == server.url("/lost")
    assert desk.history(lost)[-1].outcome is FetchOutcome.UNREADABLE
    assert desk.source(today).url == server.url("/today")


def test_a_source_that_moved_to_another_source_keeps_its_address(desk: Desk, site: Site):
    site.server.answers["/old"] = answer(b"", 301, {"Location": site.path})
    site.show(QUAY)
    desk.add(site)
    old = desk.add(site.server.url("/old"))

    desk.poll()

    assert desk.source(old).url == site.server.url("/old")
    assert "a source already" in desk.history(old)[-1].message
    assert list(desk.releases()) == ["The quay opens"]


def test_a_source_that_is_gone_for_good_ends_and_the_owner_is_told(desk: Desk, server: WebServer):
    server.answers["/gone"] = answer(b"", 410)
    source = desk.add(server.url("/gone"))

    desk.poll()
    desk.house.clock.pass_(days=30)
    tally = desk.poll()

    assert desk.source(source).state is SourceState.ENDED
    assert tally.fetched == 0
    assert notices(desk) == ["source_stopped"]


def test_retry_after_is_obeyed(desk: Desk, server: WebServer):
    server.answers["/busy"] = answer(b"", 503, {"Retry-After": "7200"})
    source = desk.add(server.url("/busy"))

    desk.poll()

    assert desk.source(source).next_at == NOON + timedelta(hours=2)
    assert desk.history(source)[-1].outcome is FetchOutcome.WAIT


def test_a_source_that_fails_for_a_week_is_paused_and_the_owner_is_told_once(desk: Desk, server: WebServer):
    source = desk.add(server.url("/missing"))
    for _ in range(40):
        desk.poll()
        desk.house.clock.pass_(hours=6)

    row = desk.source(source)
    assert row.state is SourceState.PAUSED
    assert row.state_reason == "It has failed for 7 days. The server answers 404 (not found)."
    assert notices(desk) == ["source_stopped"]


def test_a_source_that_works_again_has_no_failures(desk: Desk, site: Site):
    source = desk.add(site.server.url("/later"))
    desk.poll()
    site.server.answers["/later"] = site.serve
    site.show(QUAY)

    desk.poll(source)

    row = desk.source(source)
    assert (row.failures, row.failing_since, row.state) == (0, None, SourceState.ACTIVE)


def test_a_redirect_to_another_host_of_the_network_is_refused_with_a_clear_state(
    desk: Desk, server: WebServer
):
    server.answers["/inside"] = answer(b"", 302, {"Location": "http://10.0.0.1/"})
    source = desk.add(server.url("/inside"))

    desk.poll()

    (entry,) = desk.history(source)
    assert entry.outcome is FetchOutcome.REFUSED
    assert "10.0.0.1 is private" in entry.message


def test_one_item_that_cannot_be_stored_does_not_stop_the_other_sources(desk: Desk, site: Site):
    """A NUL in a title is refused by PostgreSQL; whatever else fails is treated in the same way."""
    broken = Site(site.server)
    broken.show(News("Broken\x00 title", "b"))
    site.show(QUAY)
    desk.add(broken, settle_minutes=0)
    desk.add(site, settle_minutes=0)

    tally = desk.poll()

    assert tally.fetched == 2
    assert desk.releases()["The quay opens"] == "ready"


def test_a_changed_item_corrects_its_release_and_makes_no_second_one(desk: Desk, site: Site):
    site.show(QUAY)
    source = desk.add(site, settle_minutes=0)
    desk.poll(source)

    site.show(replace(QUAY, text="The harbour opens its new quay on Friday."))
    desk.poll(source)

    assert desk.releases() == {"The quay opens": "ready"}
    release = desk.release("The quay opens")
    assert (release.revision, release.body_text) == (2, "The harbour opens its new quay on Friday.")
    assert [link.sequence for link in release.topic_links] == []


def test_a_correction_that_comes_too_soon_is_stored_later_although_the_feed_stays(desk: Desk, site: Site):
    site.show(QUAY)
    source = desk.add(site, settle_minutes=0)
    desk.poll(source)
    desk.house.clock.pass_(hours=2)
    texts = []
    for word in ("Friday", "Saturday"):
        site.show(replace(QUAY, text=f"The harbour opens its new quay on {word}."))
        desk.poll(source)
        texts.append(desk.release("The quay opens").body_text)

    desk.house.clock.pass_(hours=7)
    desk.poll(source)

    assert texts == ["The harbour opens its new quay on Friday."] * 2
    assert desk.release("The quay opens").body_text == "The harbour opens its new quay on Saturday."


def test_a_source_does_not_correct_what_an_editor_wrote(desk: Desk, site: Site):
    site.show(QUAY)
    source = desk.add(site, settle_minutes=0)
    desk.poll(source)
    release = desk.release("The quay opens")
    house = desk.house
    with house.runtime.session() as session:
        given, name = {"title": "A quay at last"}, release.public_id
        edit_release(session, name, given, topics=None, revision=None, actor="editor", now=house.clock())
        session.commit()

    site.show(replace(QUAY, text="The harbour opens its new quay on Friday."))
    for _ in range(2):
        desk.poll(source)

    assert desk.releases() == {"A quay at last": "ready"}
    assert desk.release("A quay at last").revision == 2
    assert notices(desk) == ["items_not_corrected"]


def test_only_the_source_that_listed_a_release_first_corrects_it(desk: Desk, server: WebServer):
    link = server.url("/quay")
    first, second = Site(server), Site(server)
    for site in (first, second):
        site.show(replace(QUAY, guid="", link=link))
        desk.poll(desk.add(site, settle_minutes=0))

    second.show(replace(QUAY, guid="", link=link, text="The harbour opens its new quay on Friday."))
    desk.house.clock.pass_(minutes=20)
    desk.poll()

    assert desk.release("The quay opens").revision == 1


def test_a_slow_source_that_somebody_asks_for_is_fetched_and_no_other_one(desk: Desk, server: WebServer):
    asked_for, other = Site(server), Site(server)
    public_id = desk.add(asked_for)
    desk.add(other)
    desk.poll(public_id)
    with desk.house.runtime.session() as session:
        session.execute(update(Source).values(is_slow=True))
        session.commit()
    server.asked.clear()

    desk.poll(public_id)

    assert [each.path for each in server.asked] == [asked_for.path]


def test_sources_that_send_a_byte_now_and_then_hold_up_no_other(house: House, server: WebServer):
    """The slow ones would be served for minutes. The round stops as soon as all others are stored."""
    slow, quick, ended = 6, 12, threading.Event()

    def trickle(_asked: Asked) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while not ended.wait(0.05):
            yield b" "

    server.answers |= {f"/slow/{at}": trickle for at in range(slow)}
    desk = desk_of(house, Limits(seconds=600, silent_seconds=600))
    for at in range(slow):
        desk.add(server.url(f"/slow/{at}"))
    sites = [Site(server, [News(f"Quay number {at}", str(at))]) for at in range(quick)]
    for each in sites:
        desk.add(each.url)

    try:
        # The slow ones are due first, so they are claimed first.
        desk.poller.round(lambda: len(desk.releases()) == quick, threads=slow + 2)
    finally:
        ended.set()

    assert sorted(desk.releases()) == sorted(f"Quay number {at}" for at in range(quick))
    assert sum(each.path.startswith("/slow/") for each in server.asked) == slow


def pictured(server: WebServer, name: str, content: bytes, alt: str = "The quay") -> str:
    """Let the server have an image, and return the text of an item with it."""
    server.answers[f"/{name}"] = answer(content)
    return f"<p>{QUAY.text}</p><p><img src='{server.url(f'/{name}')}' alt='{alt}'></p>"


def image_of(desk: Desk, title: str) -> tuple[str | None, str]:
    found = desk.release(title)
    return found.image_hash, found.image_alt


@pytest.fixture
def gallery(either_house: House):
    """A desk that takes images."""
    made = desk_of(either_house, Limits(seconds=10))
    with ImageEncoder() as encoder:
        made.poller.encoder = encoder
        yield made


def test_an_item_comes_with_its_image_which_is_fetched_once(gallery: Desk, site: Site):
    gallery.house.topic("quay")
    site.show(replace(QUAY, text=pictured(site.server, "a.jpg", photo())))
    source = gallery.add(site, settle_minutes=0)

    gallery.poll()
    site.show(FERRY, *site.items)
    gallery.poll(source)

    image_hash, alt = image_of(gallery, QUAY.title)
    assert (len(image_hash or ""), alt) == (64, "The quay")
    assert gallery.release(QUAY.title).revision == 1
    assert "<img" not in gallery.release(QUAY.title).body_html
    assert [each.path for each in site.server.asked].count("/a.jpg") == 1


def test_another_image_of_an_item_is_a_correction_and_a_missing_one_changes_nothing(
    gallery: Desk, site: Site
):
    gallery.house.topic("quay")
    site.show(replace(QUAY, text=pictured(site.server, "a.jpg", photo())))
    source = gallery.add(site, settle_minutes=0)
    gallery.poll()
    first = image_of(gallery, QUAY.title)

    site.show(replace(QUAY, text=pictured(site.server, "b.jpg", photo(700, 500), "The new quay")))
    gallery.poll(source)
    second = image_of(gallery, QUAY.title)
    site.show(replace(QUAY, text=pictured(site.server, "c.svg", SVG)))
    gallery.poll(source)

    assert first[0] != second[0]
    assert second[1] == "The new quay"
    assert gallery.release(QUAY.title).revision == 2
    assert image_of(gallery, QUAY.title) == second


def test_the_image_of_an_item_changes_while_it_settles(gallery: Desk, site: Site):
    site.show(replace(QUAY, text=pictured(site.server, "a.jpg", photo())))
    source = gallery.add(site)
    gallery.poll()
    first = image_of(gallery, QUAY.title)

    site.show(replace(QUAY, text=pictured(site.server, "b.jpg", photo(700, 500))))
    gallery.poll(source)

    assert gallery.releases() == {QUAY.title: "held settling"}
    assert image_of(gallery, QUAY.title)[0] not in {None, first[0]}


def test_an_item_whose_image_is_refused_comes_without_it_and_the_history_says_why(gallery: Desk, site: Site):
    site.show(replace(QUAY, text=pictured(site.server, "a.jpg", SVG)))
    source = gallery.add(site, settle_minutes=0)

    gallery.poll()
    site.show(FERRY, *site.items)
    gallery.poll(source)

    assert image_of(gallery, QUAY.title) == (None, "")
    assert "/a.jpg: The image file holds a web page" in gallery.history(source)[0].message
    assert [each.path for each in site.server.asked].count("/a.jpg") == 1


def test_an_item_from_before_images_were_taken_gets_none(gallery: Desk, site: Site):
    """An upgrade must not correct every release of every source."""
    site.show(replace(QUAY, text=pictured(site.server, "a.jpg", photo())))
    gallery.poller.encoder, encoder = None, gallery.poller.encoder
    source = gallery.add(site, settle_minutes=0)
    gallery.poll()
    with gallery.house.runtime.session() as session:
        session.execute(update(SourceItem).values(image_url=None))
        session.commit()
    gallery.poller.encoder = encoder

    site.show(FERRY, *site.items)
    gallery.poll(source)

    assert image_of(gallery, QUAY.title) == (None, "")
    assert gallery.release(QUAY.title).revision == 1


def test_a_source_does_not_take_the_image_that_an_editor_chose(gallery: Desk, site: Site):
    site.show(replace(QUAY, text=pictured(site.server, "a.jpg", photo())))
    source = gallery.add(site, settle_minutes=0)
    gallery.poll()
    with gallery.house.runtime.session() as session:
        public_id = gallery.release(QUAY.title).public_id
        edit_release(session, public_id, {"image": ""}, actor="Ann", now=gallery.house.clock())
        session.commit()

    site.show(replace(QUAY, text=pictured(site.server, "b.jpg", photo(700, 500))))
    gallery.poll(source)

    assert image_of(gallery, QUAY.title) == (None, "")
