"""The page to edit the newsletter: what is wrong stands beside its field, and pages show what was saved."""

from __future__ import annotations

import html
import re

from sqlalchemy import select

from newsletter.models import AuditEntry, Newsletter
from newsletter.newsletters.fields import FIELDS

PAGE = "/admin/newsletter"


def shown(browser, path: str = PAGE) -> dict[str, str]:
    """Return the values of the form's fields."""
    page = browser.get(path).text
    tags = [dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) for tag in re.findall(r"<input[^>]*>", page)]
    return {
        tag["name"]: html.unescape(tag.get("value", ""))
        for tag in tags
        if tag.get("name") in {*FIELDS, "version"}
    }


def test_saved_content_is_on_the_public_pages_at_once(house, editor):
    values = shown(editor)

    answer = editor.post(PAGE, {**values, "name": "Harbour <News>", "postal_address": "Quay 7"}, page=PAGE)

    assert answer.status_code == 303
    assert "Harbour &lt;News&gt;" in editor.get(PAGE).text
    home = house.browser().get("/").text
    assert "Harbour &lt;News&gt;" in home
    assert "Quay 7" in home
    (entry,) = house.all(select(AuditEntry).where(AuditEntry.action == "newsletter.edit"))
    assert entry.detail["fields"] == ["name", "postal_address"]


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_saved(house, editor):
    values = shown(editor)

    answer = editor.post(
        PAGE, {**values, "name": "Kept", "time_zone": "Mars", "from_address": "x"}, page=PAGE
    )

    assert answer.status_code == 422
    assert 'id="time_zone-error"' in answer.text
    assert 'id="from_address-error"' in answer.text
    assert 'value="Kept"' in answer.text
    assert house.all(select(Newsletter.version)) == [0]


def test_each_language_has_its_own_texts(house, editor):
    path = f"{PAGE}?language=lt"
    values = shown(editor, path)

    editor.post(path, {**values, "name": "Uosto naujienos"}, page=path)

    assert "Uosto naujienos" in house.browser().get("/?lang=lt").text
    assert "Uosto naujienos" not in house.browser().get("/?lang=en").text
    assert shown(editor, path)["name"] == "Uosto naujienos"


def test_a_page_that_was_opened_before_another_edit_undoes_nothing(house, editor):
    values = shown(editor)
    editor.post(PAGE, {**values, "name": "Harbour News"}, page=PAGE)

    answer = editor.post(PAGE, {**values, "tagline": "Late"}, page=PAGE)

    assert answer.status_code == 409
    assert "The newsletter was changed after you opened this page" in answer.text
    assert shown(editor)["name"] == "Harbour News"
