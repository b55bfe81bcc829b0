"""The approver sees the issue of a date on its page, and approves what the page showed."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from newsletter.models import FIRST_NEWSLETTER, AuditEntry, NewsletterCalendar, Notice, SlotApproval
from newsletter.service.sending.prepare_issues import run_schedules

SCHEDULE = "/admin/newsletters/news/schedule"
# The clock of these tests stands at noon on Thursday, 2025-10-23. The first emails of Friday are due at 8.
PAGE = "/admin/newsletters/news/approve/2025-10-24"


def wait_for_approval(house, editor) -> None:
    """Let the issue of Friday wait for an approval."""
    house.topic()
    house.add_subscriber()
    token = editor.hidden(SCHEDULE, "csrf_token")
    fields = {"csrf_token": token, "action": "save", "approval_hours": "24", "approver": "chief@example.org"}
    assert editor.client.post(SCHEDULE, data=fields).status_code == 303
    editor.client.post(SCHEDULE, data={"csrf_token": token, "action": "start"})
    house.release()
    with house.app.app_context():
        run_schedules(house.app.extensions["newsletter"])


def test_an_issue_that_waits_is_on_the_overview_and_on_the_schedule(house, editor):
    wait_for_approval(house, editor)

    assert f'href="{PAGE}"' in editor.get("/admin/").text
    assert f'href="{PAGE}"' in editor.get(SCHEDULE).text
    (notice,) = house.all(select(Notice))
    assert notice.detail["send_to"] == "chief@example.org"


def test_the_page_shows_the_issue_and_approves_what_it_showed(house, editor):
    wait_for_approval(house, editor)
    shown = editor.get(PAGE).text
    key = editor.hidden(PAGE, "key")
    house.release("A second quay")

    answer = editor.post(PAGE, {"key": key, "note": "A quiet week.", "note_language": "en"})

    assert "A new quay" in shown
    assert answer.status_code == 303
    (row,) = house.all(select(SlotApproval).where(SlotApproval.approved_at.is_not(None)))
    assert (row.to_sequence, row.editors_note, row.approved_by) == (1, "A quiet week.", "editor@example.org")
    assert "Approved by editor@example.org" in editor.get(PAGE).text
    assert "A second quay" not in editor.get(f"{PAGE}/body?to=1").text
    assert "issue.approve" in house.all(select(AuditEntry.action))
    assert f'href="{PAGE}"' not in editor.get("/admin/").text


def test_a_second_approval_says_that_there_is_one(house, editor):
    wait_for_approval(house, editor)
    key = editor.hidden(PAGE, "key")
    editor.post(PAGE, {"key": key})

    editor.client.post(PAGE, data={"csrf_token": editor.hidden(SCHEDULE, "csrf_token"), "key": key})

    assert "was approved already" in editor.get(SCHEDULE).text


def test_a_note_that_is_too_long_is_named_beside_its_field(house, editor):
    wait_for_approval(house, editor)

    answer = editor.post(PAGE, {"key": editor.hidden(PAGE, "key"), "note": "x" * 6000, "note_language": "en"})

    assert answer.status_code == 422
    assert "5,000" in answer.text
    assert house.all(select(SlotApproval).where(SlotApproval.approved_at.is_not(None))) == []


def test_a_forged_form_or_that_of_another_date_approves_nothing(house, editor):
    wait_for_approval(house, editor)
    key = editor.hidden(PAGE, "key")

    other = editor.post(PAGE.replace("24", "27"), {"key": key}, page=SCHEDULE)
    forged = editor.post(PAGE, {"key": key[:-4]}, page=SCHEDULE)

    assert (other.status_code, forged.status_code) == (400, 409)
    assert house.all(select(SlotApproval.approved_at)) == [None]


def test_a_date_without_a_wait_has_no_page(house, editor):
    assert editor.get(PAGE).status_code == 404
    assert editor.get("/admin/newsletters/news/approve/tomorrow").status_code == 404


def test_a_closed_date_says_that_the_next_issue_brings_its_releases(house, editor):
    wait_for_approval(house, editor)
    with house.make_session() as session:
        row = session.get(SlotApproval, (FIRST_NEWSLETTER, house.all(select(SlotApproval.slot))[0]))
        row.ended_at = house.clock() + timedelta(days=3)
        session.commit()

    text = editor.get(PAGE).text

    assert "was not approved in time" in text
    assert "Approve this issue" not in text


def test_the_setting_is_checked_and_can_be_removed(house, editor):
    token = editor.hidden(SCHEDULE, "csrf_token")

    def save(**fields: str):
        return editor.client.post(SCHEDULE, data={"csrf_token": token, "action": "save", **fields})

    wrong = save(approval_hours="500", approver="nobody")
    assert wrong.status_code == 422
    assert "from 1 to 168" in wrong.text
    save(approval_hours="24")
    assert "The owner is asked 24 hours before" in editor.get(SCHEDULE).text
    save(approval_hours="")
    assert house.all(select(NewsletterCalendar.approval_hours)) == [None]


def test_an_approval_can_be_withdrawn_until_emails_are_prepared(house, editor):
    wait_for_approval(house, editor)
    editor.post(PAGE, {"key": editor.hidden(PAGE, "key")})
    assert "Withdraw the approval" in editor.get(PAGE).text

    answer = editor.post(PAGE, {"action": "withdraw"}, page=PAGE)

    assert answer.status_code == 303
    text = editor.get(PAGE).text
    assert "The approval for 2025-10-24 is withdrawn" in text
    assert "Approve this issue" in text
    assert house.all(select(SlotApproval.approved_by)) == [""]
    assert editor.post(PAGE, {"action": "withdraw"}, page=PAGE).status_code == 404
