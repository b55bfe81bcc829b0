"""The page to edit the newsletter: what is wrong stands beside its field, and pages show what was saved."""

from __future__ import annotations

import html
import io
import re

from PIL import Image
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


def picture(size: tuple[int, int] = (200, 100)) -> tuple[io.BytesIO, str]:
    """Return a PNG file as a form sends it."""
    out = io.BytesIO()
    Image.new("RGB", size, "#1b5e8c").save(out, "PNG")
    return io.BytesIO(out.getvalue()), "logo.png"


def test_with_one_newsletter_the_page_shows_no_slug_and_no_list(editor):
    page = editor.get(PAGE).text

    assert 'name="slug"' not in page
    assert 'name="position"' not in page
    assert "Add another newsletter" in page
    assert ">The newsletter</a>" in page


def test_colours_and_a_logo_are_saved_and_shown(house, editor):
    values = shown(editor)

    answer = editor.post(PAGE, {**values, "accent": "#1b5e8c", "logo": picture()}, page=PAGE)

    assert answer.status_code == 303
    home = house.browser().get("/").text
    assert "/colours/1b5e8c-" in home
    (path,) = re.findall(r'<img class="logo" src="(/logo/[^"]+)"', home)
    assert path in editor.get(PAGE).text
    editor.post(PAGE, {**shown(editor), "no_logo": "y"}, page=PAGE)
    assert "/logo/" not in house.browser().get("/").text


def test_a_colour_that_is_hard_to_read_and_a_broken_logo_are_told_beside_their_fields(house, editor):
    broken = (io.BytesIO(b"<svg/>"), "logo.svg")

    answer = editor.post(PAGE, {**shown(editor), "accent": "#ffdd00", "logo": broken}, page=PAGE)

    assert answer.status_code == 422
    assert re.search(r'id="accent-error">[^<]*#ffdd00 on the page in light mode[^<]* 1\.2:1', answer.text)
    assert 'id="logo-error">The logo file is not an image' in answer.text
    assert house.all(select(Newsletter.version)) == [0]


def test_a_newsletter_is_added_on_a_page_and_has_a_page_of_its_own(house, editor):
    place = "/admin/newsletters/add"
    values = shown(editor, place)
    fields = {"slug": "harbour", "name": "Harbour News", "from_address": "desk@harbour.example"}

    wrong = editor.post(place, {**values, **fields, "slug": "new"}, page=place)
    answer = editor.post(place, {**values, **fields, "logo": picture()}, page=place)

    assert 'id="slug-error"' in wrong.text
    assert answer.location == "/admin/newsletter?newsletter=harbour"
    own = editor.get(answer.location).text
    assert "<h1>Harbour News</h1>" in own
    assert "/logo/" in own
    listed = editor.get("/admin/newsletters").text
    assert listed.index("The Release Letter") < listed.index("Harbour News")


def test_each_of_several_newsletters_is_edited_by_its_slug(house, editor):
    house.newsletter("harbour", "Harbour News")
    place = f"{PAGE}?newsletter=harbour"
    values = shown(editor, place)

    answer = editor.post(place, {**values, "slug": "port", "position": "0"}, page=place)

    assert answer.location == "/admin/newsletter?newsletter=port"
    assert house.all(select(Newsletter.slug).order_by(Newsletter.id)) == ["news", "port"]


def test_a_preview_shows_the_edited_page_and_email_and_saves_nothing(house, editor):
    house.topic()
    values = {**shown(editor), "name": "Harbour <News>", "accent": "#1b5e8c"}

    page = editor.post(f"{PAGE}/preview/signup?language=de", values, page=PAGE)
    email = editor.post(f"{PAGE}/preview/email", values, page=PAGE)
    wrong = editor.post(f"{PAGE}/preview/email", {**values, "accent": "red"}, page=PAGE)

    assert "Harbour &lt;News&gt;" in page.text
    assert "/colours/1b5e8c-" in page.text
    assert '<html lang="de"' in page.text
    assert "Harbour &lt;News&gt;" in email.text
    assert "#1b5e8c" in email.text
    assert "sandbox" in email.headers["Content-Security-Policy"]
    assert wrong.status_code == 422
    assert house.all(select(Newsletter.version)) == [0]


def test_the_subject_of_issues_is_previewed_refused_beside_its_field_and_saved(house, editor):
    house.topic()
    values = {**shown(editor), "subject": "<{newsletter}> {headline}{more}"}

    seen = editor.post(f"{PAGE}/preview/subject", values, page=PAGE).text
    wrong = editor.post(PAGE, {**values, "subject": "{headline} {topic}"}, page=PAGE)
    assert house.all(select(Newsletter.version)) == [0]
    editor.post(PAGE, values, page=PAGE)

    assert "&lt;The Release Letter&gt; Sea cable switched on five weeks early<" in seen
    assert "Sea cable switched on five weeks early, and 9 more<" in seen
    assert wrong.status_code == 422
    assert "Subject of issues has an unknown field {topic}." in wrong.text
    assert shown(editor)["subject"] == "<{newsletter}> {headline}{more}"


def test_earlier_texts_are_kept_and_shown(editor):
    editor.post(PAGE, {**shown(editor), "consent": "Send me what I chose."}, page=PAGE)
    editor.post(PAGE, {**shown(editor), "name": "Harbour News"}, page=PAGE)

    earlier = editor.get(PAGE).text.partition("Earlier texts")[2]

    assert "The Release Letter" in earlier
    assert "Send me what I chose." in earlier
    assert "the usual one" in earlier


def test_a_former_setting_that_differs_is_on_the_overview(editor):
    editor.post(PAGE, {**shown(editor), "postal_address": "Quay 7"}, page=PAGE)

    overview = editor.get("/admin/").text

    assert "NEWSLETTER_POSTAL_ADDRESS is not used: the newsletter has another value." in overview
