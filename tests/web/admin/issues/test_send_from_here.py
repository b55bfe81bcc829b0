"""The page on which a person says that this installation is no restored copy."""

from __future__ import annotations

from sqlalchemy import select

from newsletter.models import AuditEntry, ClockMark
from newsletter.outbox.copies import is_held, tick, write_file

PAGE = "/admin/send-from-here"


def _hold(house) -> None:
    """Run the clock once, and put the data folder ahead of the database."""
    open_session, folder = house.make_session, house.settings.data_dir
    tick(open_session, open_session, folder, house.clock(), by_clock=True)
    write_file(folder, 99)
    assert is_held(open_session, open_session, folder, house.clock())


def test_the_overview_leads_to_the_question_and_a_button_answers_it(house, editor):
    _hold(house)

    assert "this may be a restored copy" in editor.get("/admin/").text
    assert "The database is older than the data folder" in editor.get(PAGE).text
    token = editor.hidden(PAGE, "csrf_token")
    assert editor.client.post(PAGE, data={"csrf_token": token}).status_code == 303

    assert "this may be a restored copy" not in editor.get("/admin/").text
    (mark,) = house.all(select(ClockMark))
    assert mark.copy_sign is None
    assert "installation.send_from_here" in {each.action for each in house.all(select(AuditEntry))}


def test_without_a_question_nothing_changes(house, editor):
    assert "Digests do not wait for an answer." in editor.get(PAGE).text
    token = editor.hidden("/admin/newsletters/news/schedule", "csrf_token")

    editor.client.post(PAGE, data={"csrf_token": token})

    assert "The installation is no restored copy." in editor.get("/admin/").text
    assert house.all(select(ClockMark)) == []
