"""The editor's pages of a release: edit, preview, compare, embargo, delete."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from newsletter.models import Release
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
        answer = editor.post(f"{page}/embargo", given, page=page)

        assert answer.status_code == 422
        assert "the embargo as" in answer.text or "has to be in the future" in answer.text
        assert (
            f'name="until" type="datetime-local" value="{given["until"]}" aria-invalid="true"' in answer.text
        )


def test_the_embargo_can_be_changed_from_what_it_is(house, editor):
    house.topic()
    page = f"/admin/releases/{house.release('A new quay')}"

    editor.post(f"{page}/embargo", {"until": "2025-12-01T09:00", "zone": "Europe/Berlin"}, page=page)

    # In the zone of the newsletter.
    assert 'value="2025-12-01T08:00"' in editor.get(page).text


@pytest.mark.parametrize(
    ("path", "given", "words", "after"),
    [
        ("delete", {"action": "delete"}, "If you bring it back, the page comes back", "excluded"),
        ("embargo", {"until": "2025-12-01T09:00", "zone": "UTC"}, "At that time the page comes back", "held"),
    ],
)
def test_before_a_public_release_is_deleted_or_embargoed_a_page_says_who_has_it(
    house, editor, path, given, words, after
):
    house.topic()
    page = f"/admin/releases/{house.release('A new quay')}"
    with house.make_session() as session:
        session.scalars(select(Release)).one().made_public_at = house.clock()
        session.commit()

    asked = editor.post(f"{page}/{path}", given, page=page)
    shown = editor.get(asked.location).text
    before = house.all(select(Release.state))
    typed = {name: editor.hidden(asked.location, name) for name in ("sure", "until", "zone") if name in shown}
    editor.post(f"{page}/{path}", {**given, **typed}, page=asked.location)

    assert asked.status_code == 303
    assert "<dt>People who have it by email</dt><dd>0</dd>" in shown
    assert words in shown
    assert f'action="{page}/{path}"' in shown
    assert [str(each) for each in before] == ["ready"]
    assert [str(each) for each in house.all(select(Release.state))] == [after]


def test_a_page_says_why_a_release_is_held_and_links_no_public_page(house, editor):
    house.topic()
    page = f"/admin/releases/{house.release('A new quay')}"
    public = editor.get(page).text

    editor.post(page, {"action": ReleaseAction.HOLD.value, "sure": "y"}, page=page)
    held = editor.get(page).text

    assert ">Public page</a>" in public
    assert "Held because" not in public
    assert ">Public page</a>" not in held
    assert "of a decision by editor@example.org" in held


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
