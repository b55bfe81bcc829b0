"""The pages of duplicates: the list, two releases side by side, and what an editor decides there."""

from __future__ import annotations

import re
from datetime import date

import pytest
from sqlalchemy import select

from newsletter.models import PairState, Release, ReleasePair, ReleaseState, Source, SourceItem, SourceKind


@pytest.fixture
def two(house):
    """Two releases that may be the same; return their public ids."""
    house.topic()
    one, other = house.release("A new quay"), house.release("The new quay")
    with house.make_session() as session:
        session.add(
            ReleasePair(
                earlier_id=1, later_id=2, state=PairState.SUGGESTED, differs="title,figures",
                found_at=house.clock(),
            )
        )  # fmt: skip
        session.commit()
    return one, other


def states(house):
    return [str(each) for each in house.all(select(Release.state).order_by(Release.id))]


def test_the_list_names_both_and_what_differs(house, editor, two):
    assert "May be the same: 1 pair" in editor.get("/admin/releases").text

    page = editor.get("/admin/releases/duplicates").text

    assert "A new quay" in page
    assert "The new quay" in page
    assert "title, figures" in page
    assert f"/admin/releases/{two[0]}/same/{two[1]}" in page


def test_both_texts_are_shown_with_who_has_which(house, editor, two):
    page = editor.get(f"/admin/releases/{two[1]}/same/{two[0]}").text

    assert "<del>A</del><ins>The</ins>" in page
    assert page.count("Have it by email") == 2
    assert page.index("A new quay is open.") < page.index("The new quay is open.")


def test_an_editor_merges_them_sees_where_the_address_leads_and_undoes_it(house, editor, two):
    one, other = two
    path = f"/admin/releases/{one}/same/{other}"

    merged = editor.post(path, {"action": "merge"}, page=path)
    moved = editor.get(f"/releases/{other}")

    assert merged.status_code == 303
    assert states(house) == ["ready", "excluded"]
    assert (moved.status_code, moved.location) == (301, f"/releases/{one}")
    assert moved.headers["Cache-Control"] == "no-store"  # browsers keep a 301 forever without this
    assert "merged into another one" in editor.get(f"/admin/releases/{other}").text
    assert "merged into this one" in editor.get(f"/admin/releases/{one}").text

    editor.post(path, {"action": "undo"}, page=path)

    assert states(house) == ["ready", "ready"]
    assert editor.get(f"/releases/{other}").status_code == 200


def test_a_merged_release_is_marked_in_the_list_and_has_no_buttons(house, editor, two):
    one, other = two
    path = f"/admin/releases/{one}/same/{other}"

    editor.post(path, {"action": "merge"}, page=path)
    listed = editor.get("/admin/releases").text
    urgent = editor.get(f"/admin/releases/{other}/urgent").text

    assert listed.count(">merged</span>") == 1
    assert f'action="/admin/releases/{one}?' in listed
    assert f'action="/admin/releases/{other}?' not in listed
    assert "merged into another one. Undo that first." in urgent


def test_an_editor_finds_the_release_that_is_the_same(house, editor):
    house.topic()
    one, other, late = house.release("A new quay"), house.release("Ships get power"), house.release("A pier")
    with house.make_session() as session:
        session.get_one(Release, 3).published_on = date(2025, 1, 1)
        session.commit()
    find = f"/admin/releases/{one}/same"

    near = editor.get(find).text
    searched = editor.get(f"{find}?q=pier").text
    nothing = editor.get(f"{find}?q=zebra").text
    by_address = editor.get(f"{find}?q=http://news.example.org/releases/{other}?lang=de")
    by_id = editor.get(f"{find}?q={other}")
    itself = editor.get(f"{find}?q={one}")

    assert find in editor.get(f"/admin/releases/{one}").text
    assert f"{find}/{other}" in near
    assert (f"{find}/{late}" in near, f"{find}/{one}" in near) == (False, False)
    assert (f"{find}/{other}" in searched, f"{find}/{late}" in searched) == (False, True)
    assert "No other release found" in nothing
    assert (by_address.location, by_id.location) == (f"{find}/{other}",) * 2
    assert itself.status_code == 200


def test_different_releases_leave_the_list(house, editor, two):
    path = f"/admin/releases/{two[0]}/same/{two[1]}"

    editor.post(path, {"action": "different"}, page=path)

    assert "Nothing to decide" in editor.get("/admin/releases/duplicates").text
    assert "said that they are different" in editor.get(path).text


def test_what_cannot_be_merged_says_why(house, editor, two):
    path = f"/admin/releases/{two[0]}/same/{two[1]}"
    editor.post(path, {"action": "merge"}, page=path)

    again = editor.post(path, {"action": "merge"}, page=path, follow_redirects=True)

    assert "Undo that first" in again.text
    assert editor.post(path, {"action": "guess"}, page=path).status_code == 400
    assert editor.get(f"/admin/releases/{two[0]}/same/{two[0]}").status_code == 404


def test_a_merged_release_whose_other_one_is_not_public_was_withdrawn(house, editor, two):
    path = f"/admin/releases/{two[0]}/same/{two[1]}"
    editor.post(path, {"action": "merge"}, page=path)
    with house.make_session() as session:
        for each in session.scalars(select(Release)):
            each.made_public_at = house.clock()
        session.get_one(Release, 1).state = ReleaseState.HELD
        session.commit()

    assert editor.get(f"/releases/{two[1]}").status_code == 410


def test_the_page_of_a_release_shows_its_places_and_no_dangerous_link(house, editor, two):
    with house.make_session() as session:
        source = Source(
            kind=SourceKind.FEED, url="https://press.example.org/feed", name="Press Desk",
            next_at=house.clock(), created_at=house.clock(),
        )  # fmt: skip
        session.add(source)
        session.flush()
        for number, url in enumerate(("https://press.example.org/quay", "javascript:alert(1)")):
            session.add(
                SourceItem(
                    source_id=source.id, release_id=1, key=str(number), url=url, text_hash="", stored_hash="",
                    first_seen_at=house.clock(), same_since=house.clock(), last_list=1,
                )
            )  # fmt: skip
        session.commit()

    page = editor.get(f"/admin/releases/{two[0]}").text

    assert page.count("Press Desk") == 2
    assert 'href="https://press.example.org/quay"' in page
    assert not re.search(r'href="javascript', page)
