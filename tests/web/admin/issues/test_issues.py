"""The pages of issues: progress, deliveries, and buttons that change what may be changed."""

from __future__ import annotations

import csv
import io

import pytest
from sqlalchemy import select

from newsletter.models import (
    AuditEntry,
    BounceVerdict,
    Delivery,
    DeliveryState,
    Issue,
    IssueState,
    Lane,
    Rendition,
    Subscriber,
)


@pytest.fixture
def issue(house) -> str:
    """An issue that is being sent to two subscribers, and was refused for one; return its public id."""
    house.topic()
    for name in ("one", "two"):
        house.add_subscriber(f"{name}@example.org")
    now = house.clock()
    with house.make_session() as session:
        made = Issue(
            title="March", frequencies=["weekly"], state=IssueState.SENDING, to_sequence=0, created_at=now
        )
        session.add(made)
        session.flush()
        rendition = Rendition(issue_id=made.id, key_hash="0", key="1w:1")
        session.add(rendition)
        session.flush()
        states = (DeliveryState.QUEUED, DeliveryState.REJECTED)
        for state, person in zip(states, session.scalars(select(Subscriber)), strict=True):
            session.add(
                Delivery(
                    lane=Lane.BULK,
                    issue_id=made.id,
                    rendition_id=rendition.id,
                    subscriber_id=person.id,
                    state=state,
                    due_at=now,
                    created_at=now,
                )
            )
        session.commit()
        return made.public_id


def state_of(house) -> str:
    return house.all(select(Issue.state))[0]


def test_the_list_counts_the_deliveries_of_each_issue(issue, editor):
    page = " ".join(editor.get("/admin/issues").text.split())

    assert "March" in page
    assert f"/admin/issues/{issue}" in page


def test_an_issue_shows_its_deliveries_and_those_of_one_state(issue, editor):
    whole = editor.get(f"/admin/issues/{issue}").text
    queued = editor.get(f"/admin/issues/{issue}?state=queued").text
    nonsense = editor.get(f"/admin/issues/{issue}?state=nonsense").text

    assert ("one@example.org" in whole, "two@example.org" in whole) == (True, True)
    assert ("one@example.org" in queued, "two@example.org" in queued) == (True, False)
    assert "two@example.org" in nonsense
    assert editor.get("/admin/issues/unknown").status_code == 404


def test_the_page_says_what_became_of_the_issue(issue, editor):
    text = " ".join(editor.get(f"/admin/issues/{issue}").text.split())

    assert "<dt>Unsubscribed by one of its emails</dt><dd>0</dd>" in text
    assert "<dt>Returned as undeliverable</dt><dd>0</dd>" in text
    assert "Who did not get it, or may not have got it" in text


def test_a_delivery_that_came_back_or_led_to_a_complaint_is_marked(house, issue, editor):
    with house.make_session() as session:
        one, two = session.scalars(select(Delivery).order_by(Delivery.id)).all()[:2]
        one.bounced_at = two.complained_at = house.clock()
        session.commit()

    page = editor.get(f"/admin/issues/{issue}").text

    assert page.count('<span class="badge badge-warn">returned</span>') == 1
    assert page.count('<span class="badge badge-warn">complaint</span>') == 1


def test_states_are_words_and_the_detail_has_the_technical_word_and_the_reply(house, issue, editor):
    with house.make_session() as session:
        refused = session.scalars(select(Delivery).where(Delivery.state == DeliveryState.REJECTED)).one()
        refused.reply_code, refused.status, refused.reply_text = 554, "5.7.1", "not today"
        person = session.get_one(Subscriber, refused.subscriber_id).public_id
        session.commit()

    page = " ".join(editor.get(f"/admin/issues/{issue}?state=rejected").text.split())
    persons = " ".join(editor.get(f"/admin/readers/{person}").text.split())

    assert "Deliveries: refused" in page
    assert '<span class="badge badge-quiet">waiting</span>' in page
    for shown in (page, persons):
        assert '<span class="badge badge-bad">refused</span>' in shown
        assert '<span class="muted">rejected</span> · 554 5.7.1 not today' in shown


def test_each_state_has_words_of_its_own():
    words = {each: each.words for each in DeliveryState}

    assert len(set(words.values())) == len(DeliveryState)
    assert words[DeliveryState.ACCEPTED] == "delivered to the relay"
    assert words[DeliveryState.UNCERTAIN] == "unknown"


def test_the_deliveries_can_be_downloaded(issue, editor):
    answer = editor.get(f"/admin/issues/{issue}/deliveries.csv?state=rejected")

    rows = list(csv.reader(io.StringIO(answer.text)))
    assert answer.mimetype == "text/csv"
    assert len(rows) == 2
    assert "two@example.org" in rows[1]


def test_pausing_and_resuming_change_the_state_and_resuming_wakes_the_workers(house, issue, editor):
    answer = editor.post(f"/admin/issues/{issue}", {"action": "pause"})
    assert (answer.status_code, state_of(house), house.woken.lanes) == (303, "paused", [])

    editor.post(f"/admin/issues/{issue}", {"action": "resume"})

    assert (state_of(house), house.woken.lanes) == ("sending", ["bulk"])


def test_before_cancelling_a_page_says_who_will_not_get_it_and_changes_nothing(house, issue, editor):
    page = editor.get(f"/admin/issues/{issue}/cancel").text

    said = " ".join(page.split())
    assert "<dt>Subscribers who have it already</dt><dd>0</dd>" in said
    assert "<dt>Subscribers who will not get it</dt><dd>1</dd>" in said
    assert state_of(house) != "cancelled"


def test_cancelling_says_how_many_did_not_get_it(house, issue, editor):
    editor.post(f"/admin/issues/{issue}", {"action": "cancel"})

    assert state_of(house) == "cancelled"
    assert "Cancelled. Subscribers who did not get it: 1." in editor.get(f"/admin/issues/{issue}").text


def test_cancelling_asks_what_becomes_of_the_releases(house, issue, editor):
    page = editor.get(f"/admin/issues/{issue}/cancel").text
    assert 'value="next" checked' in page
    assert 'value="drop"' in page
    assert "still being prepared" not in page

    editor.post(f"/admin/issues/{issue}", {"action": "cancel", "releases": "drop"})

    assert "Its releases are dropped for them." in editor.get(f"/admin/issues/{issue}").text
    with house.make_session() as session:
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "issue.cancel"))
        assert entry.detail == {"drop": True}
        assert session.scalar(select(Issue.drops_unsent).where(Issue.public_id == issue)) is True


def test_what_does_not_fit_the_state_is_refused_and_changes_nothing(house, issue, editor):
    assert editor.post(f"/admin/issues/{issue}", {"action": "resume"}).status_code == 409
    assert editor.post(f"/admin/issues/{issue}", {"action": "explode"}).status_code == 400
    assert state_of(house) == "sending"


def test_the_progress_is_a_part_of_a_page_and_asks_for_itself_again(issue, editor):
    part = editor.get(f"/admin/issues/{issue}/progress").text

    assert "<html" not in part
    assert "of 2 completed" in part
    assert f'hx-get="/admin/issues/{issue}/progress' in part


def test_the_buttons_count_whose_email_can_be_sent_again_and_leave_out_dead_mailboxes(house, issue, editor):
    page = f"/admin/issues/{issue}"
    assert "Send 1 refused email again" in editor.get(page).text

    editor.post(page, {"action": "retry_rejected"})

    assert house.all(select(Delivery.state)) == [DeliveryState.QUEUED, DeliveryState.QUEUED]
    with house.make_session() as session:
        gone, uncertain = session.scalars(select(Delivery).order_by(Delivery.id))
        gone.state, gone.verdict = DeliveryState.REJECTED, BounceVerdict.GONE
        uncertain.state = DeliveryState.UNCERTAIN
        session.commit()
    text = editor.get(page).text
    assert "refused email again" not in text
    assert "Resend 1 unknown email" in text
