"""An editor's work with releases in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pictures import SVG, photo
from public_site import PublicSite, run_public_site

from newsletter.accounts.create import create_account
from newsletter.accounts.passwords import hash_password
from newsletter.clock import utcnow

EDITOR = "editor@example.org"
PASSWORD = "three quiet harbours"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PublicSite]:
    with run_public_site(tmp_path) as running:
        with running.house.runtime.session() as session:
            create_account(session, EDITOR, hash_password(PASSWORD), "test", utcnow()).must_change = False
            session.commit()
        yield running


@pytest.fixture
def editor(page, site):
    """A tab in which the editor is signed in."""
    page.goto(f"{site.url}/admin/")
    page.locator('input[name="email"]').fill(EDITOR)
    page.locator('input[name="password"]').fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", level=1).wait_for()
    return page


def test_the_preview_follows_the_title_the_text_the_image_and_its_description(
    editor, site, screenshot, tmp_path
):
    (tmp_path / "quay.jpg").write_bytes(photo())
    (tmp_path / "quay.svg").write_bytes(SVG)
    editor.goto(f"{site.url}/admin/releases/new")
    preview = editor.locator("#preview")

    editor.get_by_label("Title", exact=True).fill("Harbour opens a third quay")
    editor.get_by_label("Text", exact=True).fill("It opens on *4 May*.")
    preview.locator("em", has_text="4 May").wait_for()
    preview.get_by_role("heading", name="Harbour opens a third quay").wait_for()
    editor.get_by_label("Image file").set_input_files(tmp_path / "quay.svg")
    editor.get_by_text("Save it as an image in a graphics program.").wait_for()
    editor.get_by_label("Image file").set_input_files(tmp_path / "quay.jpg")
    preview.get_by_text("Nobody sees this image").wait_for()
    editor.get_by_label("Description of the image").fill("The new quay at dawn")
    image = preview.get_by_role("img", name="The new quay at dawn")
    image.wait_for()
    screenshot("write-a-release")
    drawn = image.evaluate("each => each.decode().then(() => each.naturalWidth)")
    editor.get_by_role("button", name="Store").last.click()

    assert drawn == 900
    editor.get_by_role("img", name="The new quay at dawn").wait_for()
    assert re.search("/admin/releases/[A-Za-z0-9_-]{12}$", editor.url)
