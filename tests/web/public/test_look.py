"""Logo and colours of a newsletter are on its pages and in its emails, at URLs that name their content."""

from __future__ import annotations

import hashlib
import io
import re
from email import message_from_bytes, policy

import pytest
from house import House
from PIL import Image

from newsletter.models import Frequency
from newsletter.newsletters.edit import edit_newsletter


def picture(colour: str = "#1b5e8c") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (960, 256), colour).save(out, "PNG")
    return out.getvalue()


def edit(house: House, *, logo: bytes | None = None, no_logo: bool = False, **given: str) -> None:
    with house.runtime.session() as session:
        settings, now = house.runtime.settings, house.clock()
        edit_newsletter(session, settings, given, logo=logo, no_logo=no_logo, actor="ann", now=now)
        session.commit()


def look_again(visitor):
    """Let the web process forget what it knows, as it does by itself after a second."""
    visitor.app.extensions["newsletter"].identities.forget()


def test_without_colours_and_logo_pages_load_nothing_more(visitor):
    page = visitor.get("/").text

    assert "/colours/" not in page
    assert "/logo/" not in page


def test_chosen_colours_are_on_pages_as_a_style_sheet(visitor):
    edit(visitor.house, accent="#1b5e8c", on_dark_accent="#000000")
    look_again(visitor)

    page = visitor.get("/").text
    (path,) = re.findall(r'<link rel="stylesheet" href="(/colours/[^"]+)">', page)
    sheet = visitor.get(path)

    assert path == "/colours/1b5e8c-ffffff-8daec6-000000.css"
    assert sheet.mimetype == "text/css"
    assert "--accent: #1b5e8c;" in sheet.text
    assert "--on-accent: #000000;" in sheet.text
    assert sheet.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert sheet.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["1b5e8c", "1b5e8c-ffffff-8daec6-00000}", "red-ffffff-8daec6-000000", "x" * 27]
)
def test_a_style_sheet_of_anything_else_is_not_found(visitor, name):
    assert visitor.get(f"/colours/{name}.css").status_code == 404


def test_a_logo_is_served_by_its_hash_for_ever(visitor):
    edit(visitor.house, logo=picture())
    look_again(visitor)

    page = visitor.get("/").text
    ((path, size),) = re.findall(
        r'<img class="logo" src="(/logo/[^"]+)" (width="\d+" height="\d+" alt="")>', page
    )
    answer = visitor.get(path)

    assert size == 'width="240" height="64" alt=""'
    assert answer.mimetype == "image/png"
    assert path == f"/logo/{hashlib.sha256(answer.data).hexdigest()}.png"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert visitor.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert Image.open(io.BytesIO(answer.data)).size == (480, 128)


def test_an_earlier_logo_stays_at_its_url_after_another_took_its_place(visitor):
    edit(visitor.house, logo=picture())
    look_again(visitor)
    (path,) = re.findall(r'src="(/logo/[^"]+)"', visitor.get("/").text)

    edit(visitor.house, logo=picture("#aa0000"))
    edit(visitor.house, no_logo=True)
    look_again(visitor)

    assert "/logo/" not in visitor.get("/").text
    assert visitor.get(path).status_code == 200


@pytest.mark.parametrize("name", ["0" * 64 + ".png", "x", "..%2f..%2fsecret", "%00"])
def test_another_logo_is_not_found(visitor, name):
    assert visitor.get(f"/logo/{name}").status_code == 404


def html_of(house: House) -> str:
    email = message_from_bytes(house.transport.sent[-1].content, policy=policy.default)
    return email.get_body(("html",)).get_content()


def test_emails_have_logo_and_colours_and_an_open_issue_keeps_its_look(house):
    energy = house.topic("energy")
    house.add_subscriber(energy)
    house.release("A new energy cable")
    edit(house, accent="#1b5e8c", logo=picture())
    issue = house.open(Frequency.WEEKLY)
    edit(house, accent="#0b6e4f", no_logo=True)

    house.drain()

    page = html_of(house)
    assert re.search(r"<h2[^>]+color:\s*#1b5e8c", page)
    assert re.search(r"prefers-color-scheme:\s*dark.*?color:\s*#8daec6", page, re.S)
    assert "#8c2f1b" not in page.lower()
    image = r'<img src="https://news\.example\.org/logo/[0-9a-f]{64}\.png" width="240" height="64" alt=""'
    assert re.search(image, page)
    assert house.issue_state(issue) == "finished"
    house.release("Another energy cable")
    house.send(Frequency.WEEKLY)
    assert re.search(r"<h2[^>]+color:\s*#0b6e4f", html_of(house))
    assert "/logo/" not in html_of(house)


def test_errors_keep_their_colour_beside_another_accent(visitor):
    edit(visitor.house, accent="#0b6e4f")
    look_again(visitor)

    sheet = visitor.get("/colours/0b6e4f-ffffff-85b6a7-161513.css").text

    assert "--bad" not in sheet
