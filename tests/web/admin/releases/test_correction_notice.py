"""The page of a correction notice: who has an earlier text, and what the email says."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from newsletter.digest.issues import Preparer, open_issue
from newsletter.models import AuditEntry, CorrectionNotice, Delivery, DeliveryState, Frequency
from newsletter.runtime import Runtime


@pytest.fixture
def sent(house, editor) -> str:
    """A release that one subscriber has, corrected since; its public id."""
    house.topic()
    house.add_subscriber()
    public_id = house.release("A new quay")
    parts = Runtime(house.settings, now=house.clock)
    with house.make_session() as session:
        issue = open_issue(session, [Frequency.DAILY], actor="test", now=house.clock())
        preparer = Preparer(parts.renderer, issue.id)
        while preparer.step(session, house.clock()):
            pass
        session.query(Delivery).one().state = DeliveryState.ACCEPTED
        session.commit()
    editor.post(f"/admin/releases/{public_id}/edit", {"title": "A new pier", "revision": "1"})
    return public_id


def test_the_page_counts_and_shows_the_differences_and_sends_once(house, editor, sent):
    page = editor.get(f"/admin/releases/{sent}/notice").text
    assert "<dt>People with an earlier text who get the notice</dt><dd>1</dd>" in page
    assert "<del>quay</del><ins>pier</ins>" in page

    answer = editor.post(f"/admin/releases/{sent}/notice", {"says": "changes", "revision": "2"})

    assert answer.status_code == 303
    assert house.woken.lanes == ["single"]
    (notice,) = house.all(select(CorrectionNotice))
    assert (notice.revision, notice.asked_by) == (2, "editor@example.org")
    (entry,) = house.all(select(AuditEntry).where(AuditEntry.action == "release.correction_notice"))
    assert entry.detail == {"revision": 2, "people": 1, "sending": 0}
    page = editor.get(f"/admin/releases/{sent}").text
    assert "asked for a notice of the last correction" in page
    assert "It is sent once" in editor.get(f"/admin/releases/{sent}/notice").text


def test_an_empty_sentence_is_refused_beside_the_field(house, editor, sent):
    answer = editor.post(
        f"/admin/releases/{sent}/notice", {"says": "sentence", "sentence": " ", "revision": "2"}
    )

    assert answer.status_code == 422
    assert "Write the sentence, or choose the differences." in answer.text
    assert house.all(select(CorrectionNotice)) == []


def test_a_form_that_is_older_than_the_last_correction_is_refused(house, editor, sent):
    page = f"/admin/releases/{sent}/notice"
    token = editor.hidden(page, "csrf_token")
    editor.post(f"/admin/releases/{sent}/edit", {"title": "A new jetty", "revision": "2"})

    answer = editor.client.post(page, data={"csrf_token": token, "says": "changes", "revision": "2"})

    assert answer.status_code == 409
    assert "Load the page again" in answer.text
    assert house.all(select(CorrectionNotice)) == []


def test_without_an_earlier_text_there_is_nothing_to_send(house, editor):
    house.topic()
    public_id = house.release()

    page = editor.get(f"/admin/releases/{public_id}/notice").text

    assert "Nobody who can be told has an earlier text" in page
    assert "Send the notice" not in page
