"""Tests of the pages of sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from press_site import News, Site
from servers.web import WebServer, answer, serving
from sqlalchemy import select

from newsletter.models import AuditEntry, FullText, Release, ReleaseTopic, Source, SourceKind, SourceState


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving() as running:
        yield running


@pytest.fixture
def site(house, server: WebServer) -> Site:
    """A press site that the application may fetch from."""
    parts = house.app.extensions["newsletter"]
    settings = replace(parts.settings, fetch_allow=("127.0.0.0/8",))
    house.app.extensions["newsletter"] = replace(parts, settings=settings)
    made = Site(server)
    made.show(News("Quay & ferry open", "1"), News("The ferry is late", "2"))
    return made


def only_source(house) -> Source:
    with house.make_session() as session:
        return session.scalars(select(Source)).one()


def test_an_address_is_tried_before_it_is_added(house, editor, site: Site):
    page = editor.post("/admin/sources/try", {"url": site.url}, page="/admin/sources").text

    assert "Quay &amp; ferry open" in page
    assert "none: nobody would get it" in page
    with house.make_session() as session:
        assert session.scalars(select(Source)).all() == []


def test_an_address_without_a_feed_says_why(editor, site: Site):
    site.server.answers["/page"] = answer(b"<html><b>No feed</b></html>")

    for url, words in ((site.server.url("/page"), "names no feed"), ("http://10.0.0.1/", "private")):
        found = editor.post("/admin/sources/try", {"url": url}, page="/admin/sources")
        assert found.status_code == 422
        assert words in found.text


def test_a_page_with_links_is_tried_by_a_rule_added_and_changed(house, editor, site: Site):
    entries = "".join(f"<li><a href='/news/{at}'>Quay number {at}</a></li>" for at in (1, 2))
    site.server.answers["/list"] = answer(f"<!doctype html><title>Press</title><nav>{entries}</nav>".encode())
    url, rule = site.server.url("/list"), {"as_page": "1", "pattern": "/news/*", "selector": "nav a"}

    refused = editor.post("/admin/sources/try", {"url": url}, page="/admin/sources")
    tried = editor.post("/admin/sources/try", {"url": url, **rule}, page="/admin/sources")
    added = editor.post("/admin/sources", {"url": url, **rule}, page="/admin/sources")

    assert "Try it as a page with links" in refused.text
    assert "Quay number 1" in tried.text
    assert "Not read:" in tried.text
    source = only_source(house)
    assert (source.kind, source.link_pattern, source.link_selector) == (SourceKind.PAGE, "/news/*", "nav a")
    place = added.location or ""
    changed = {
        "action": "edit",
        "interval_minutes": "30",
        "settle_minutes": "5",
        "selector": "",
        "pattern": "/n/*",
    }
    editor.post(place, changed, page=place)
    assert (only_source(house).link_selector, only_source(house).link_pattern) == ("", "/n/*")
    editor.post(place, {**changed, "pattern": "n"}, page=place)
    assert only_source(house).link_pattern == "/n/*"


def test_a_feed_takes_its_texts_from_where_the_editor_says(house, editor, site: Site):
    chosen = {"url": site.url, "full_text": "always"}
    editor.post("/admin/sources", {**chosen, "full_text": "perhaps"}, page="/admin/sources")
    editor.post("/admin/sources", chosen, page="/admin/sources")

    assert only_source(house).full_text is FullText.ALWAYS


def test_a_source_is_added_paused_resumed_changed_and_removed(house, editor, site: Site):
    added = editor.post(
        "/admin/sources", {"url": site.url, "name": "Harbour", "backlog": "7d"}, page="/admin/sources"
    )
    place = added.location or ""
    source = only_source(house)
    assert (source.name, source.backlog, source.url) == ("Harbour", "7d", site.url)
    assert "Not fetched yet" in editor.get(place).text

    def press(action: str, **more: str) -> Source:
        editor.post(place, {"action": action, **more}, page=place)
        return only_source(house)

    assert press("pause").state is SourceState.PAUSED
    assert "This source is paused" in editor.get(place).text
    assert press("resume").state is SourceState.ACTIVE
    house.clock.pass_(hours=1)
    assert press("poll").next_at <= house.clock()
    changed = press("edit", name="Port", publisher="Port", interval_minutes="60", settle_minutes="0")
    assert (changed.name, changed.publisher, changed.interval_minutes) == ("Port", "Port", 60)
    assert press("edit", name="x", interval_minutes="2", settle_minutes="0").name == "Port"
    assert press("edit", name="x", interval_minutes="many").name == "Port"
    editor.post(place, {"action": "remove"}, page=place)
    with house.make_session() as session:
        assert session.scalars(select(Source)).all() == []
        actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions[-5:] == ["source.add", "source.pause", "source.resume", "source.edit", "source.remove"]
    assert editor.get(place).status_code == 404


def test_an_address_inside_the_network_cannot_be_added(house, editor):
    editor.post("/admin/sources", {"url": "http://169.254.169.254/"}, page="/admin/sources")

    assert "link-local" in editor.get("/admin/sources").text
    with house.make_session() as session:
        assert session.scalars(select(Source)).all() == []


def test_a_release_that_was_kept_back_has_a_button_to_send_it_after_all(house, editor):
    house.topic()
    public_id = house.release("An old quay")
    with house.make_session() as session:
        release = session.scalars(select(Release)).one()
        release.is_kept_back = True
        release.topic_links[0].sequence = None
        session.commit()
    place = f"/admin/releases/{public_id}"
    assert "Send it after all" in editor.get(place).text

    editor.post(f"{place}/send-after-all", {}, page=place)
    editor.post(f"{place}/send-after-all", {}, page=place)

    with house.make_session() as session:
        assert session.scalars(select(ReleaseTopic.sequence)).one() is not None
    assert "Send it after all" not in editor.get(place).text
