"""The editor's pages of a release: edit, preview, compare, embargo, delete."""

from __future__ import annotations

from newsletter.releases.editing.edit import ReleaseAction


def test_a_release_is_edited_and_the_page_shows_what_changed(house, editor):
    house.topic()
    public_id = house.release("A new quay")
    editor.get(f"/admin/releases/{public_id}/edit")

    answer = editor.post(
        f"/admin/releases/{public_id}/edit",
        {"title": "A new pier", "revision": "1", "topics": "harbours"},
        page=f"/admin/releases/{public_id}/edit",
    )
    page = editor.get(f"/admin/releases/{public_id}/revisions").text

    assert answer.status_code == 303
    assert "<del>quay</del><ins>pier</ins>" in page
    assert "See the correction" in editor.get(f"/admin/releases/{public_id}").text


def test_an_outdated_form_is_refused_and_shown_again(house, editor):
    house.topic()
    public_id = house.release("A new quay")
    path = f"/admin/releases/{public_id}/edit"
    editor.post(path, {"title": "A new pier", "revision": "1", "topics": "harbours"}, page=path)

    answer = editor.post(path, {"title": "My own title", "revision": "1"}, page=path)

    assert answer.status_code == 409
    assert "Another editor has changed this release" in answer.text
    assert "My own title" in answer.text


def test_a_form_with_a_fault_is_shown_again(house, editor):
    house.topic()
    public_id = house.release("A new quay")
    path = f"/admin/releases/{public_id}/edit"

    answer = editor.post(path, {"title": "A pier", "date": "soon", "revision": "1"}, page=path)

    assert answer.status_code == 422
    assert "Write the date as year-month-day." in answer.text


def test_the_preview_shows_clean_text_and_stores_nothing(house, editor):
    answer = editor.post(
        "/admin/releases/preview",
        {"title": "A <b>quay</b>", "body": "It is *open*.\n\n<script>alert(1)</script>"},
        page="/admin/releases/new",
    )

    assert "<em>open</em>" in answer.text
    assert "<script>" not in answer.text
    assert "A &lt;b&gt;quay&lt;/b&gt;" in answer.text


def test_a_release_is_put_under_embargo_and_freed(house, editor):
    house.topic()
    public_id = house.release("A new quay")
    page = f"/admin/releases/{public_id}"

    editor.post(f"{page}/embargo", {"until": "2025-12-01T09:00", "zone": "Europe/Berlin"}, page=page)
    held = editor.get(page).text
    editor.post(page, {"action": ReleaseAction.READY.value}, page=page)
    still = editor.get(page).text
    editor.post(f"{page}/embargo", {"action": "lift"}, page=page)

    assert "Nothing of it is public before" in held
    assert "stays held until its embargo ends" in still
    assert "Nothing of it is public before" not in editor.get(page).text


def test_a_wrong_embargo_is_told(house, editor):
    house.topic()
    public_id = house.release("A new quay")
    page = f"/admin/releases/{public_id}"

    for given in ({"until": "", "zone": "UTC"}, {"until": "2020-01-01T09:00", "zone": "UTC"}):
        editor.post(f"{page}/embargo", given, page=page)
        shown = editor.get(page).text
        assert "the embargo as" in shown or "has to be in the future" in shown


def test_a_deleted_release_is_listed_apart_and_comes_back(house, editor):
    house.topic()
    public_id = house.release("A new quay")
    page = f"/admin/releases/{public_id}"

    editor.post(f"{page}/delete", {"action": "delete"}, page=page)
    lists = [editor.get(f"/admin/releases{query}").text for query in ("", "?state=deleted")]
    deleted = editor.get(page).text
    editor.post(f"{page}/delete", {"action": "undo"}, page=page)

    assert ["A new quay" in each for each in lists] == [False, True]
    assert "Bring it back" in deleted
    assert "Delete this release" in editor.get(page).text
