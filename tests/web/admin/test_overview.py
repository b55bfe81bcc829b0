from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.audit import record
from newsletter.mail.addresses import address_hash
from newsletter.messages.sender import Sender
from newsletter.models import (
    Delivery,
    DeliveryState,
    Frequency,
    Heartbeat,
    Issue,
    IssueState,
    Lane,
    Release,
    ReleaseState,
    SignupRequest,
    Subscriber,
    Suppression,
    SuppressionReason,
)
from newsletter.notices import NoticeKind, settle, tell_owner
from newsletter.outbox.pacing.setup.relay_checks import keep_check


def _add(house, *rows):
    with house.make_session() as session:
        session.add_all(rows)
        session.commit()


def test_an_empty_house_has_an_overview(editor):
    page = editor.get("/admin/")

    assert page.status_code == 200
    assert "No issues yet" in page.text
    assert "No worker has been seen for two minutes" in page.text


def test_the_overview_counts(house, editor):
    house.topic()
    house.release()
    house.release("Held one", ReleaseState.HELD)
    house.add_subscriber("one@example.org")
    house.add_subscriber("two@example.org")

    page = " ".join(editor.get("/admin/").text.split())

    assert "<dt>subscribers</dt><dd>2</dd>" in page
    assert "<dt>release for the next digest</dt><dd>1</dd>" in page
    assert "<dt>subscribed in the last 7 days</dt><dd>2</dd>" in page
    assert "held for review</a></dt><dd>1</dd>" in page


def test_releases_wait_until_an_issue_has_served_every_frequency_that_was_chosen(house, editor):
    house.topic()
    house.release()
    house.add_subscriber("one@example.org", frequency=Frequency.DAILY)
    house.add_subscriber("two@example.org", frequency=Frequency.WEEKLY)
    waiting = []

    for number, frequency in enumerate(("daily", "weekly")):
        made = {"title": f"No. {number}", "state": IssueState.SENDING, "to_sequence": 1}
        _add(house, Issue(frequencies=[frequency], created_at=house.clock.at, **made))
        page = " ".join(editor.get("/admin/").text.split())
        waiting += re.findall(r"for the next digest</dt><dd>(\d+)</dd>", page)

    assert waiting == ["1", "0"]


def test_a_worker_that_was_seen_a_moment_ago_is_no_worry(house, editor):
    beat = house.clock.at - timedelta(seconds=20)
    _add(house, Heartbeat(name="host worker 1", kind="worker single", started_at=beat, seen_at=beat))
    assert "No worker has been seen" not in editor.get("/admin/").text

    house.clock.pass_(minutes=3)

    page = editor.get("/admin/").text
    assert "No worker has been seen for two minutes" in page
    assert "host worker 1" in page


@pytest.mark.parametrize(
    ("frequency", "days"),
    [(Frequency.IMMEDIATE, 1), (Frequency.DAILY, 1), (Frequency.WEEKLY, 7), (Frequency.MONTHLY, 31)],
)
def test_a_release_that_waits_longer_than_its_frequency_promises_is_a_warning(house, frequency, days):
    house.topic()
    house.add_subscriber("one@example.org", frequency=frequency)
    house.release()
    words = f"1 release has waited longer than {days} {'day' if days == 1 else 'days'} and 12 hours"

    house.clock.pass_(days=days, hours=11)
    before = house.signed_in().get("/admin/").text
    house.clock.pass_(hours=2)
    after = house.signed_in().get("/admin/").text
    made = {"title": "No. 1", "state": IssueState.SENDING, "to_sequence": 1, "created_at": house.clock.at}
    _add(house, Issue(frequencies=[frequency.value], **made))
    served = house.signed_in().get("/admin/").text
    with house.make_session() as session:
        session.query(Issue).update({"state": IssueState.CANCELLED})
        session.commit()

    assert "waited longer" not in before
    assert words in after
    assert f"digest send --frequency {frequency.option} --yes" in after
    assert "waited longer" not in served
    assert words in house.signed_in().get("/admin/").text


def test_a_release_that_nobody_waits_for_is_no_warning(house):
    house.topic()
    house.topic("ferries")
    house.release()
    house.release("Made ready late")
    house.release("Held", ReleaseState.HELD)
    public_id = house.add_subscriber("paused@example.org")
    house.add_subscriber("later@example.org", topic="ferries")
    house.clock.pass_(days=40)
    with house.make_session() as session:
        paused = session.scalars(select(Subscriber).where(Subscriber.public_id == public_id)).one()
        paused.snoozed_until = house.clock.at + timedelta(days=1)
        session.commit()

    assert "waited longer" not in house.signed_in().get("/admin/").text
    house.clock.pass_(days=2)
    with house.make_session() as session:
        late = session.scalars(select(Release).where(Release.title == "Made ready late")).one()
        record(session, "editor", "release.ready", late.public_id, house.clock.at)
        session.commit()
    assert "1 release has waited longer than 1 day" in house.signed_in().get("/admin/").text


def test_sign_ups_that_wait_are_a_warning(house, editor):
    _add(house, SignupRequest(email="new@example.org", created_at=house.clock.at))
    assert "sign-up has been waiting" not in editor.get("/admin/").text

    house.clock.pass_(minutes=3)

    assert "1 sign-up has been waiting for more than two minutes" in editor.get("/admin/").text


def test_the_outbox_is_counted_by_state(house, editor):
    due = house.clock.at - timedelta(minutes=5)
    for state in (DeliveryState.QUEUED, DeliveryState.QUEUED, DeliveryState.DEFERRED):
        _add(house, Delivery(lane=Lane.SINGLE, state=state, due_at=due, created_at=due))

    page = " ".join(editor.get("/admin/").text.split())

    assert re.search(r"waiting</span></dt><dd>2</dd>", page)
    assert re.search(r"will retry</span></dt><dd>1</dd>", page)
    assert "5 minutes ago" in page


def test_subscribers_are_found_and_shown(house, editor):
    house.topic()
    public_id = house.add_subscriber("One@example.org".lower())
    house.add_subscriber("two@example.org")

    assert "two@example.org" not in editor.get("/admin/readers?q=ONE").text
    assert "one@example.org" not in editor.get("/admin/readers?state=ended").text
    page = editor.get(f"/admin/readers/{public_id}").text
    assert "one@example.org" in page
    assert "Harbours" in page


def test_a_subscriber_who_is_not_emailed_is_marked(house, editor):
    house.topic()
    public_id = house.add_subscriber()
    tokens = house.app.extensions["newsletter"].tokens
    (subscriber,) = house.all(select(Subscriber))
    mark = address_hash(subscriber.email_key, tokens.derived_key("suppression"))
    _add(house, Suppression(address_hash=mark, reason=SuppressionReason.HARD_BOUNCE, since=house.clock.at))

    page = editor.get(f"/admin/readers/{public_id}").text
    assert "We send no email to this address since" in page
    assert "no such mailbox" in page


def test_the_overview_shows_what_the_owner_is_told(house, editor):
    with house.make_session() as session:
        tell_owner(
            session, NoticeKind.SIGNUPS_HELD, "", house.clock(), held=7, burst=10, per_hour=60, hold_hours=24
        )
        session.commit()
    before = editor.get("/admin/").text
    with house.make_session() as session:
        settle(session, NoticeKind.SIGNUPS_HELD, "", house.clock())
        session.commit()

    assert "Many sign-ups at once. New addresses sign up faster" in before
    assert "Sign-ups that wait: 7." in before
    assert "newsletter subscriber held" in before
    assert "Many sign-ups at once" not in editor.get("/admin/").text


def test_the_last_check_of_the_relay_is_shown(house, editor):
    sender = Sender.of_settings(house.settings)
    assert "not checked yet" in editor.get("/admin/").text
    report = {"relay": "relay.example.org:587", "sent": False, "findings": []}
    found = {"step": "sender", "verdict": "failed", "words": "The relay refuses our sender address: 553 no."}

    with house.make_session() as session:
        keep_check(session, sender, {**report, "verdict": "failed", "findings": [found]}, house.clock())
        session.commit()
    failed = editor.get("/admin/").text
    with house.make_session() as session:
        keep_check(session, sender, {**report, "verdict": "passed"}, house.clock())
        session.commit()
    passed = editor.get("/admin/").text

    assert "A check of the relay relay.example.org:587 failed. The relay refuses our sender" in failed
    assert "check failed" in failed
    assert "check passed" in passed
    assert "A check of the relay" not in passed


def test_with_several_newsletters_each_has_its_last_issue_and_its_schedule(house, editor):
    other = house.newsletter("harbour", "Harbour News")
    issue = Issue(newsletter_id=other, title="No. 7", frequencies=["daily"], created_by="test", to_sequence=0)
    issue.created_at, issue.state = house.clock(), IssueState.FINISHED
    _add(house, issue)

    page = " ".join(editor.get("/admin/").text.split())

    assert "Last issue</h2>" not in page
    assert page.count("the schedule of ") == 2
    row = page[page.index("Harbour News</a>") :]
    assert "No. 7</a>" in row[:600]
    assert "none yet" in page[: page.index("Harbour News</a>")]
