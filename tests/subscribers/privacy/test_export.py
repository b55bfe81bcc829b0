"""The export has all data of one person and nothing of another, and lists the emails that they were sent."""

from __future__ import annotations

import json

import pytest

from newsletter.models import BounceStep, Frequency, StepKind, Subscriber
from newsletter.subscribers.consent.record import Publisher
from newsletter.subscribers.privacy.export import list_own_emails, personal_data

ANN, BOB = "ann@example.org", "bob@example.org"
PUBLISHER = Publisher("The Letter", "https://news.example.org", "Harbour Road 1")


@pytest.fixture
def sent(people):
    """Ann and Bob have joined, and were sent their confirmations and a daily issue."""
    people.house.topic("energy")
    for email in (ANN, BOB):
        people.join(email, {"energy": Frequency.DAILY}, ip_address="192.0.2.0")
    people.house.drain("single")
    people.house.release("Energy in March")
    people.house.send(Frequency.DAILY)
    return people


def export(people, email=ANN):
    house = people.house
    with house.runtime.reading() as session:
        person = session.query(Subscriber).filter_by(email_key=email).one()
        return personal_data(session, house.runtime.tokens, person, PUBLISHER, house.clock())


def test_everything_about_a_person_is_in_it_and_nothing_about_another(sent):
    text = json.dumps(export(sent))

    assert ANN in text
    assert "bob" not in text
    assert "Energy in March" in text
    assert "192.0.2.0" in text
    assert "Harbour Road 1" in text


def test_the_history_of_emails_that_came_back_is_in_it(sent):
    house = sent.house
    with house.runtime.session() as session:
        for email, reason in ((ANN, "mailbox full"), (BOB, "no such user")):
            person = session.query(Subscriber).filter_by(email_key=email).one()
            session.add(
                BounceStep(
                    subscriber_id=person.id, at=house.clock(), kind=StepKind.SOFT, reason=reason,
                    status="5.2.2", domain="example.org",
                )
            )  # fmt: skip
        session.commit()

    (step,) = export(sent)["returned_mail"]

    assert (step["step"], step["reason"], step["status"]) == ("soft", "mailbox full", "5.2.2")
    assert step["undone_at"] is None


def test_each_email_has_its_title_its_releases_and_its_state(sent):
    digest = next(
        mail
        for part in export(sent).values()
        if isinstance(part, list)
        for mail in part
        if mail.get("releases")
    )

    assert digest["releases"] == ["Energy in March"]
    assert digest["state"] == "accepted"
    assert digest["template"] is None
    assert digest["bounced_at"] is None


def test_the_list_of_emails_has_the_newest_first_and_only_a_sent_digest_can_be_viewed(sent):
    sent.house.release("Energy in April")
    sent.house.open(Frequency.DAILY)

    with sent.house.runtime.reading() as session:
        person = session.query(Subscriber).filter_by(email_key=ANN).one()
        page = list_own_emails(session, person, 1)
        second = list_own_emails(session, person, 2, per_page=2)

    assert [(mail.state.value, mail.viewable) for mail in page.items[:2]] == [
        ("queued", False),
        ("accepted", True),
    ]
    assert [mail.viewable for mail in page.items if mail.template] == [False] * (page.total - 2)
    assert second.items == page.items[2:4]
    assert {mail.subscriber_public_id for mail in page.items} == {person.public_id}
