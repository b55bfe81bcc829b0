"""The pages on which an owner changes the templates of digests."""

from __future__ import annotations

import html
import re

from sqlalchemy import select

from newsletter.models import AuditEntry, NewsletterTemplate

PAGE = "/admin/newsletter/templates"
PREVIEW = f"{PAGE}/preview"
VERSIONS = f"{PAGE}/versions"


def sources(browser) -> dict[str, str]:
    """Return the parts in the form, and the version that it shows."""
    page = browser.get(PAGE).text
    found = re.findall(r'<textarea[^>]* name="(\w+)"[^>]*>\n?(.*?)</textarea>', page, re.DOTALL)
    (version,) = re.findall(r'name="version" value="(\d+)"', page)
    return {name: html.unescape(text) for name, text in found} | {"version": version}


def changed(browser, old: str = "{{ note }}", new: str = "<p>Good morning</p>\n{{ note }}") -> dict[str, str]:
    given = sources(browser)
    return {**given, "frame_html": given["frame_html"].replace(old, new)}


def test_saved_templates_are_a_version_and_stand_in_the_preview_of_the_next_issue(house, editor):
    answer = editor.post(PAGE, changed(editor), page=PAGE)

    assert answer.status_code == 303
    (row,) = house.all(select(NewsletterTemplate))
    assert (row.version, list(row.sources)) == (1, ["frame_html"])
    (entry,) = house.all(select(AuditEntry).where(AuditEntry.action == "newsletter.templates"))
    assert entry.detail == {"version": 1, "parts": ["frame_html"]}
    assert "Good morning" in sources(editor)["frame_html"]


def test_templates_without_the_line_that_says_why_are_refused_and_shown_with_the_fault(house, editor):
    answer = editor.post(PAGE, changed(editor, "{{ reason }}", ""), page=PAGE)

    assert answer.status_code == 422
    assert "{{ reason }} is missing" in html.unescape(answer.text)
    assert house.all(select(NewsletterTemplate)) == []


def test_a_fault_is_named_with_its_line(editor):
    answer = editor.post(PAGE, changed(editor, "{{ note }}", "\n{% include 'x' %}\n{{ note }}"), page=PAGE)

    said = html.unescape(answer.text)
    assert re.search(r"Frame \(HTML\), line 1\d: A template cannot include another one\.", said)
    assert "{% include 'x' %}" in html.unescape(answer.text)


def test_a_page_that_was_opened_before_another_save_undoes_nothing(house, editor):
    late = changed(editor, new="<p>Late</p>\n{{ note }}")
    editor.post(PAGE, changed(editor), page=PAGE)

    answer = editor.post(PAGE, late, page=PAGE)

    assert answer.status_code == 409
    assert len(house.all(select(NewsletterTemplate))) == 1


def test_the_preview_shows_what_is_in_the_form_in_each_view_and_saves_nothing(house, editor):
    given = changed(editor)

    desktop = editor.post(PREVIEW, {**given, "view": "desktop", "language": "de"}, page=PAGE)
    dark = editor.post(PREVIEW, {**given, "view": "dark"}, page=PAGE)
    text = editor.post(PREVIEW, {**given, "view": "text"}, page=PAGE)

    assert "Good morning" in desktop.text
    assert 'lang="de"' in desktop.text
    assert "prefers-color-scheme" in desktop.text
    assert "prefers-color-scheme" not in dark.text
    assert "<pre>" in text.text
    assert house.all(select(NewsletterTemplate)) == []


def test_nothing_in_a_preview_can_run_or_load(editor):
    """The texts of the sample have a script in them, and a template is shown before it is checked."""
    shown = editor.post(PREVIEW, {**changed(editor), "view": "desktop"}, page=PAGE)
    given = changed(editor, "{{ note }}", "<script>alert(1)</script>{{ note }}")
    refused = editor.post(PREVIEW, given, page=PAGE)

    for answer in (shown, refused):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "sandbox" in policy
        assert "script-src" not in policy
        assert "allow-scripts" not in policy
        assert "<script" not in answer.text
    assert refused.status_code == 422
    frame = re.search(r"<iframe[^>]*>", editor.get(PAGE).text)
    assert frame is not None
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in frame[0]


def test_versions_are_listed_with_their_differences_and_can_be_used_again(house, editor):
    editor.post(PAGE, changed(editor), page=PAGE)
    editor.post(PAGE, changed(editor, "Good morning", "Good evening"), page=PAGE)

    page = html.unescape(editor.get(VERSIONS).text)
    assert "<del>- <p>Good morning</p></del>" in page
    assert "<ins>+ <p>Good evening</p></ins>" in page

    editor.post(VERSIONS, {"wanted": "1", "version": "2"}, page=VERSIONS)
    assert "Good morning" in sources(editor)["frame_html"]

    editor.post(VERSIONS, {"wanted": "0", "version": "3"}, page=VERSIONS)
    rows = house.all(select(NewsletterTemplate).order_by(NewsletterTemplate.version))
    assert [bool(row.sources) for row in rows] == [True, True, True, False]
    assert "The next issue has the usual templates." in editor.get(VERSIONS).text


def test_an_empty_part_is_the_usual_one_again(house, editor):
    editor.post(PAGE, changed(editor), page=PAGE)

    editor.post(PAGE, {**sources(editor), "frame_html": ""}, page=PAGE)

    rows = house.all(select(NewsletterTemplate).order_by(NewsletterTemplate.version))
    assert [row.sources for row in rows][-1] == {}
