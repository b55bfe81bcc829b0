"""The page before sending: what to fix, samples, sizes and the links."""

from __future__ import annotations

PAGE = "/admin/preview/check?send=daily"


def test_the_page_says_what_to_fix_and_who_gets_it(house, editor):
    house.topic()
    house.add_subscriber()
    house.release()

    text = editor.get(PAGE).text

    assert "The relay was not checked with its present settings." in text
    assert "Emails are not signed" in text
    assert "Would reach now" in text
    assert "The issue has no links to other sites." in text
    assert "/admin/preview/check?send=daily" in editor.get("/admin/preview?send=daily").text


def test_a_sample_is_shown_in_each_view(house, editor):
    house.topic()
    house.release()

    plain = editor.get(f"{PAGE}&view=text").text
    frame = editor.get("/admin/preview/check/sample?send=daily")
    dark = editor.get("/admin/preview/check/sample?send=daily&view=dark")

    assert 'class="plaintext"' in plain
    assert "A new quay" in frame.text
    assert "prefers-color-scheme: dark" in frame.text
    assert "prefers-color-scheme: dark" not in dark.text
    assert "sandbox" in frame.headers["Content-Security-Policy"]


def test_the_links_are_checked_only_when_asked(house, editor):
    house.topic()
    house.release()

    answer = editor.post(PAGE)

    assert answer.status_code == 200
    assert "Links checked: 0." in answer.text


def test_the_links_are_not_checked_too_often(house, editor):
    house.topic()
    without_a_release = {editor.post(PAGE, page="/admin/sources").status_code for _ in range(19)}
    house.release()

    statuses = [editor.post(PAGE).status_code for _ in range(2)]

    assert without_a_release == {404}
    assert statuses == [200, 429]


def test_without_a_release_there_is_nothing_to_check(editor):
    assert editor.get(PAGE).status_code == 404
    assert editor.get("/admin/preview/check/sample").status_code == 404
