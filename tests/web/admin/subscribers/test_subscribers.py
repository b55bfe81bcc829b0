"""What an editor can do for one subscriber, and see about them."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter import bounce_steps
from newsletter.bounce_steps import Step
from newsletter.models import (
    AuditEntry,
    ConsentAct,
    Frequency,
    ReportOutcome,
    ReturnedMail,
    StepKind,
    Subscriber,
    Suppression,
    Topic,
)
from newsletter.subscribers.consent.ledger import note, note_topics
from newsletter.subscribers.consent.signature import check_record
from newsletter.subscribers.consent.wording import current_wording

READER = "reader@example.org"


@pytest.fixture
def subscriber(house) -> str:
    """A subscriber who signed up and confirmed; returns the public id."""
    house.topic()
    public_id = house.add_subscriber(READER)
    with house.make_session() as session:
        person = session.scalars(select(Subscriber)).one()
        person.time_zone = "Europe/Vilnius"
        wording = (current_wording().version, current_wording().hash)
        for act, how in ((ConsentAct.ASKED, "form"), (ConsentAct.CONFIRMED, "link")):
            note(
                session, person.id, act, how, house.clock(),
                wording=wording, ip_address="192.0.2.0", topics={"harbours": "daily"},
            )  # fmt: skip
        session.commit()
    return public_id


def act(house, browser, public_id: str, **form: str):
    return browser.post(f"/admin/readers/{public_id}", form)


def test_the_record_shows_both_steps_the_wording_and_both_clocks(house, subscriber):
    page = house.signed_in().get(f"/admin/readers/{subscriber}/consent").text

    assert "Asked to receive the newsletter" in page
    assert "by the link in an email to them" in page
    assert page.count("2025-10-23 12:00:00 UTC") >= 2
    assert "2025-10-23 15:00:00 UTC+3 local time of the subscriber" in page
    assert "I can unsubscribe at any time with the link in every email." in page
    assert "harbours: daily" in page and "192.0.2.0" in page


def test_the_record_can_be_taken_away_and_checked_with_the_published_key(house, subscriber):
    browser = house.signed_in()
    key = browser.get("/.well-known/newsletter-consent-key.pem").text

    answer = browser.get(f"/admin/readers/{subscriber}/consent.json")

    record = check_record(answer.text, key)
    assert record["person"]["address"] == READER
    assert "attachment" in answer.headers["Content-Disposition"]
    assert json.loads(answer.text)["signature"]["key_url"].endswith("/.well-known/newsletter-consent-key.pem")


def test_a_subscriber_is_suppressed_and_may_be_emailed_again(house, subscriber):
    browser = house.signed_in()

    act(house, browser, subscriber, action="suppress")
    assert len(house.all(select(Suppression))) == 1
    assert "We send no email to this address since" in browser.get(f"/admin/readers/{subscriber}").text
    act(house, browser, subscriber, action="unsuppress", why=" ")
    assert len(house.all(select(Suppression))) == 1
    act(house, browser, subscriber, action="unsuppress", why="they asked")

    assert house.all(select(Suppression)) == []
    entries = house.all(select(AuditEntry).order_by(AuditEntry.id))
    assert [each.action for each in entries][-2:] == ["address.suppress", "address.unsuppress"]
    assert READER not in "".join(each.subject + json.dumps(each.detail) for each in entries)


@pytest.mark.parametrize("typed", ["", "other@example.org", "reader"])
def test_nobody_is_erased_unless_their_address_is_typed(house, subscriber, typed):
    act(house, house.signed_in(), subscriber, action="erase", address=typed)

    assert house.all(select(Subscriber.email)) == [READER]


def test_a_subscriber_is_erased_by_typing_their_address_and_the_log_says_who_did_it(house, subscriber):
    browser = house.signed_in()

    act(house, browser, subscriber, action="erase", address="Reader@Example.org")

    assert house.all(select(Subscriber.email)) == [None]
    last = house.all(select(AuditEntry).order_by(AuditEntry.id))[-1]
    assert (last.actor, last.action, last.subject) == ("editor@example.org", "reader.erase", subscriber)
    assert "Subscriber: erased" in browser.get(f"/admin/readers/{subscriber}").text
    assert "Consent of Subscriber: erased" in browser.get(f"/admin/readers/{subscriber}/consent").text


def test_an_erased_address_is_let_in_again_by_typing_it(house, subscriber):
    browser = house.signed_in()
    act(house, browser, subscriber, action="erase", address=READER)

    act(house, browser, subscriber, action="unsuppress", address="somebody@example.org", why="asked")
    assert len(house.all(select(Suppression))) == 1
    act(house, browser, subscriber, action="unsuppress", address=READER, why="asked")

    assert house.all(select(Suppression)) == []


def test_an_act_that_there_is_not_is_refused(house, subscriber):
    assert act(house, house.signed_in(), subscriber, action="sell").status_code == 400


def test_the_reasons_of_those_who_left_lately_are_counted_the_most_frequent_first(house, subscriber):
    with house.make_session() as session:
        person = session.scalars(select(Subscriber)).one()
        long_ago = house.clock() - timedelta(days=91)
        for reason, at in (
            ("no-time", house.clock()),
            ("too-many", house.clock()),
            ("too-many", house.clock() - timedelta(days=80)),
            ("elsewhere", long_ago),
        ):
            note(session, person.id, ConsentAct.REASONED, "page", at, reason=reason)
        session.commit()

    page = house.signed_in().get("/admin/readers").text

    counted = re.findall(r"<li>([\w ]+) <strong>(\d+)</strong>", page)
    assert counted == [("Too many emails", "2"), ("No time", "1")]
    assert "Read elsewhere" not in page


def test_with_several_newsletters_page_and_record_name_the_newsletter(house):
    second = house.newsletter("quay", "Quay Letter")
    house.topic("boats", second)
    public_id = house.add_subscriber(READER, "boats")
    with house.make_session() as session:
        person = session.scalars(select(Subscriber)).one()
        topic = session.scalars(select(Topic)).one()
        chosen = [(topic, Frequency.DAILY)]
        note_topics(session, person.id, ConsentAct.CONFIRMED, "link", house.clock(), chosen)
        session.commit()
    browser = house.signed_in()

    page = browser.get(f"/admin/readers/{public_id}").text
    shown = browser.get(f"/admin/readers/{public_id}/consent").text
    signed = browser.get(f"/admin/readers/{public_id}/consent.json").text
    record = check_record(signed, browser.get("/.well-known/newsletter-consent-key.pem").text)

    assert "Quay Letter" in page and "newsletter quay" in page
    assert "newsletter: quay, boats: daily" in shown
    assert record["newsletters"]["quay"] == "Quay Letter"
    assert record["subscriptions"][0]["newsletter"] == "quay"
    assert record["entries"][0]["detail"] == {"newsletter": "quay", "topics": {"boats": "daily"}}


def test_with_one_newsletter_neither_page_nor_record_speak_of_it(house):
    house.topic()
    public_id = house.add_subscriber(READER)
    with house.make_session() as session:
        person = session.scalars(select(Subscriber)).one()
        chosen = [(session.scalars(select(Topic)).one(), Frequency.DAILY)]
        note_topics(session, person.id, ConsentAct.CONFIRMED, "link", house.clock(), chosen)
        session.commit()
    browser = house.signed_in()

    record = json.loads(browser.get(f"/admin/readers/{public_id}/consent.json").text)["record"]

    assert "newsletter: news" not in browser.get(f"/admin/readers/{public_id}/consent").text
    assert "newsletter news" not in browser.get(f"/admin/readers/{public_id}").text
    assert "newsletters" not in record and "newsletter" not in record["subscriptions"][0]


def test_the_history_of_returned_mail_is_shown_with_what_servers_said(house, subscriber):
    browser = house.signed_in()
    assert 'id="history"' not in browser.get(f"/admin/readers/{subscriber}").text
    with house.make_session() as session:
        person = session.scalars(select(Subscriber)).one()
        report = ReturnedMail(
            digest="d", received_at=house.clock(), outcome=ReportOutcome.SOFT, words="<i>over quota"
        )
        session.add(report)
        session.flush()
        step = Step(StepKind.SOFT, person.id, "mailbox full", "4.2.2", report_id=report.id)
        bounce_steps.add(session, step, house.clock())
        session.commit()

    page = browser.get(f"/admin/readers/{subscriber}").text

    assert (
        "An email failed, and it counts" in page and "mailbox full" in page and "&lt;i&gt;over quota" in page
    )
    assert "/admin/returned/reports/1" in page


def test_a_step_of_the_history_is_undone_once_and_only_on_its_persons_page(house, subscriber):
    other = house.add_subscriber("other@example.org")
    with house.make_session() as session:
        person = session.scalars(select(Subscriber).where(Subscriber.email == READER)).one()
        bounce_steps.add(session, Step(StepKind.SOFT, person.id, "mailbox full", "4.2.2"), house.clock())
        session.commit()
    browser = house.signed_in()
    page = f"/admin/readers/{subscriber}"
    place = f"{page}/steps/1/undo"
    assert place in browser.get(page).text

    assert browser.post(f"/admin/readers/{other}/steps/1/undo", page=page).status_code == 404
    done = browser.post(place, page=page, follow_redirects=True).text
    again = browser.post(place, page=page, follow_redirects=True).text

    assert "The step is undone." in done and "undone before" in again
    assert place not in browser.get(page).text
    assert "bounce.undo" in [each.action for each in house.all(select(AuditEntry))]
