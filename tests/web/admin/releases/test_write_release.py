"""The page to write a release: type it, paste it, or fetch it from a URL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pictures import SVG, photo
from servers.web import WebServer, answer, serving
from sqlalchemy import select

from newsletter.models import Release

PASTED = "Port opens a new quay for winter\n\nHALMSTRAND, 22 October 2025 - The port opened a quay.\n"
PAGE = """<!doctype html><html lang="en"><head><title>The ferry gets a new quay</title>
<meta property="og:image" content="/quay.jpg"><meta property="og:image:alt" content="The quay at dawn">
<meta property="article:published_time" content="2025-10-22T08:30:00Z"></head>
<body><article><h1>The ferry gets a new quay</h1>
<p>The harbour opened its new quay on Monday, and all ferries of the northern line use it from now on.</p>
<p>See <a href="/plan">the plan</a>. The old quay is closed, and will be a park for the town.</p>
</article></body></html>"""


@pytest.fixture
def server(house) -> Iterator[WebServer]:
    """A web server that the application may fetch from."""
    parts = house.app.extensions["newsletter"]
    settings = replace(parts.settings, fetch_allow=("127.0.0.0/8",))
    house.app.extensions["newsletter"] = replace(parts, settings=settings)
    with serving() as running:
        yield running


def fetch(editor, url: str):
    return editor.post("/admin/releases/new", {"action": "fetch", "url": url}, page="/admin/releases/new")


def hidden(page: str, name: str) -> str:
    return page.partition(f'name="{name}"')[2].partition('value="')[2].partition('"')[0]


def test_a_release_is_written_and_held(house, editor):
    house.topic()

    answer = editor.post(
        "/admin/releases/new",
        {"title": "A new quay", "body": "It is **open**.", "topics": "harbours"},
        page="/admin/releases/new",
    )
    page = editor.get(answer.location).text

    assert answer.status_code == 303
    assert "<p>It is <strong>open</strong>.</p>" in page
    assert "is stored and held" in page


def test_a_pasted_text_fills_in_the_form(house, editor):
    answer = editor.post(
        "/admin/releases/new", {"action": "paste", "pasted": PASTED}, page="/admin/releases/new"
    )

    assert 'value="Port opens a new quay for winter"' in answer.text
    assert 'value="2025-10-22"' in answer.text
    assert "Read from the text: look at it." in answer.text


def test_a_pasted_text_that_is_no_release_is_kept_in_the_form(house, editor):
    answer = editor.post(
        "/admin/releases/new", {"action": "paste", "pasted": "- \n"}, page="/admin/releases/new"
    )

    assert answer.status_code == 422
    assert "Fill in the form instead" in answer.text


def test_a_pasted_text_that_is_too_long_is_refused_and_never_cut(house, editor):
    pasted = PASTED + "All ferries use it. " * 20_001

    answer = editor.post(
        "/admin/releases/new", {"action": "paste", "pasted": pasted}, page="/admin/releases/new"
    )

    assert answer.status_code == 422
    assert "it has more than 400,000 characters" in answer.text


def test_a_page_is_fetched_shown_and_stored_with_its_image_only_when_it_is_saved(house, editor, server):
    server.answers |= {"/news": answer(PAGE.encode()), "/quay.jpg": answer(photo())}

    shown = fetch(editor, server.url("/news"))
    with house.make_session() as session:
        before = session.scalars(select(Release)).all()
    given = {name: hidden(shown.text, name) for name in ("image", "canonical_url")}
    form = {"title": "The ferry gets a new quay", "body": "It opened.", "image_alt": "The quay at dawn"}
    saved = editor.post("/admin/releases/new", {**form, **given})

    assert shown.status_code == 200
    assert before == []
    for words in ("The ferry gets a new quay", "2025-10-22", "The quay at dawn", server.url("/plan")):
        assert words in shown.text
    assert saved.status_code == 303
    with house.make_session() as session:
        (release,) = session.scalars(select(Release))
    assert (release.image_hash, release.image_alt) == (given["image"], "The quay at dawn")
    assert release.canonical_url == server.url("/news")


def test_a_page_whose_image_is_refused_is_shown_without_it(editor, server):
    server.answers |= {"/news": answer(PAGE.encode()), "/quay.jpg": answer(SVG)}

    page = fetch(editor, server.url("/news"))

    assert page.status_code == 200
    assert "The image of the page was not taken" in page.text
    assert hidden(page.text, "image") == ""


def test_a_page_that_cannot_be_fetched_says_why(editor, server):
    for url, words in ((server.url("/none"), "answers 404"), ("http://10.0.0.1/", "private"), ("x", "http")):
        page = fetch(editor, url)
        assert page.status_code == 422
        assert words in page.text
