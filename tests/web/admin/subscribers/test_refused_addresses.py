"""The page where the owner decides about refused addresses."""

from __future__ import annotations

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
    Suppression,
)
from newsletter.notices import NoticeKind, tell_owner
from newsletter.outbox.refused.outcome_keys import relay_number

RELAY = "relay.example.net:587"


@pytest.fixture
def refused(house):
    """Two subscribers of an issue that is paused because its relay refused them. The notice's id is 1."""
    house.topic()
    house.add_subscriber("one@example.org")
    house.add_subscriber("two@example.org")
    now = house.clock()
    with house.make_session() as session:
        issue = Issue(
            title="No. 1", frequencies=["daily"], state=IssueState.PAUSED, to_sequence=0, created_at=now
        )
        session.add(issue)
        session.flush()
        rendition = Rendition(issue_id=issue.id, key_hash="k", key="[]")
        session.add(rendition)
        session.flush()
        for person in session.scalars(select(Subscriber)):
            session.add(
                Delivery(
                    lane=Lane.BULK, issue_id=issue.id, rendition_id=rendition.id, subscriber_id=person.id,
                    state=DeliveryState.REJECTED, due_at=now, created_at=now, settled_at=now, bounced_at=now,
                    reply_code=550, reply_text="5.1.1 no such user", verdict=BounceVerdict.RELAY,
                    relay_key=relay_number(RELAY), answered_microseconds=1,
                )
            )  # fmt: skip
        detail = {"refused": 2, "issues": [issue.public_id], "relay": relay_number(RELAY)}
        tell_owner(session, NoticeKind.RELAY_REFUSES, RELAY, now, **detail)
        session.commit()
    return house


def answer(editor, action, number=2):
    return editor.post("/admin/refused/1", {"action": action, "number": number}, page="/admin/refused")


def test_the_overview_leads_to_the_refused_addresses(refused, editor):
    overview = editor.get("/admin/").text
    page = editor.get("/admin/refused").text

    assert RELAY in overview and "/admin/refused" in overview
    assert "one@example.org" in page and "550 5.1.1 no such user" in page
    assert "Addresses do not exist: 2" in page and "Send again to 2" in page


def test_really_gone_suppresses_those_shown_and_lets_the_issue_go_on(refused, editor):
    answer(editor, "gone")

    assert len(refused.all(select(Suppression))) == 2
    (issue,) = refused.all(select(Issue))
    assert issue.state is IssueState.SENDING
    assert "No open questions" in editor.get("/admin/refused").text
    assert "bounces.gone" in [each.action for each in refused.all(select(AuditEntry))]


def test_an_answer_for_another_number_changes_nothing(refused, editor):
    answer(editor, "gone", number=1)

    assert refused.all(select(Suppression)) == []
    assert "There are 2 refused addresses now, not 1" in editor.get("/admin/refused").text


def test_nonsense_is_no_answer(refused, editor):
    assert answer(editor, "other").status_code == 400
    assert answer(editor, "gone", number="many").status_code == 400
    assert refused.all(select(Suppression)) == []
