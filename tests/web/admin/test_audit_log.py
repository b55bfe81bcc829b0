"""The page of the audit log."""

from __future__ import annotations

from newsletter.releases.editing.edit import ReleaseAction


def test_an_urgent_release_is_in_the_log_with_who_and_how_many(house, editor):
    house.topic()
    house.add_subscriber()
    public_id = house.release("A new quay")
    other = house.release("A pier")
    editor.post(f"/admin/releases/{other}", {"action": ReleaseAction.HOLD.value}, page="/admin/releases")
    editor.post(f"/admin/releases/{public_id}/urgent", {"typed": "1"})

    whole = editor.get("/admin/audit-log").text
    link = f"/admin/audit-log?subject={public_id}"
    of_release = editor.get(link).text

    assert link in editor.get(f"/admin/releases/{public_id}").text
    assert ("release.hold" in whole, "release.urgent" in whole) == (True, True)
    assert ("release.hold" in of_release, "release.urgent" in of_release) == (False, True)
    assert f'<a href="/admin/releases/{public_id}">{public_id}</a>' in of_release
    assert "people: 1" in of_release
    assert "editor@example.org" in of_release
    assert "1 entry" in " ".join(of_release.split())
    assert "No matching entries" in editor.get("/admin/audit-log?actor=nobody").text
