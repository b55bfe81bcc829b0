"""The pages that send a release urgently: the second one asks for the number of people."""

from __future__ import annotations

from sqlalchemy import select

from newsletter.models import AuditEntry, Release, ReleaseState


def test_a_second_page_asks_for_the_number_of_people(house, editor):
    house.topic()
    house.add_subscriber()
    public_id = house.release()
    path = f"/admin/releases/{public_id}/urgent"
    assert "<dt>People who get it at once</dt><dd>1</dd>" in editor.get(path).text

    asked = editor.post(path)
    wrong = editor.post(path, {"typed": "2"})
    assert house.all(select(Release.urgent)) == [False]
    right = editor.post(path, {"typed": "1"})

    assert "How many people get it at once? Type 1" in asked.text
    assert (wrong.status_code, "Type 1, the number of people" in wrong.text) == (422, True)
    assert (right.status_code, house.woken.lanes) == (303, ["bulk"])
    (release,) = house.all(select(Release))
    assert (release.urgent, release.urgent_by) == (True, "editor@example.org")
    (entry,) = house.all(select(AuditEntry).where(AuditEntry.action == "release.urgent"))
    assert (entry.subject, entry.detail) == (public_id, {"people": 1})


def test_a_mark_that_waits_is_shown_and_can_be_taken_back(house, editor):
    house.topic()
    house.add_subscriber()
    public_id = house.release(state=ReleaseState.HELD)
    path = f"/admin/releases/{public_id}/urgent"
    editor.post(path, {"typed": "1"})
    assert "It waits to be sent urgently" in editor.get(path).text
    assert "waits to be sent urgently" in editor.get(f"/admin/releases/{public_id}").text

    answer = editor.post(path, {"action": "unmark"})

    assert answer.status_code == 303
    assert house.all(select(Release.urgent)) == [False]


def test_an_excluded_release_is_refused(house, editor):
    house.topic()
    public_id = house.release(state=ReleaseState.EXCLUDED)

    shown = editor.get(f"/admin/releases/{public_id}/urgent").text
    answer = editor.post(f"/admin/releases/{public_id}/urgent", {"typed": "0"}, page="/admin/releases")

    assert "Make it ready first" in shown
    assert ">Continue</button>" not in shown
    assert "Send urgently" not in editor.get(f"/admin/releases/{public_id}").text

    assert (answer.status_code, "Make it ready first" in answer.text) == (409, True)
