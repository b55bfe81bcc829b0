"""What belongs to a second newsletter is sent with its own sender, name and languages.

These tests write its rows themselves, so that they need no command.
"""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from house import House

from newsletter.digest.issues import open_issue
from newsletter.models import Frequency, Newsletter, NewsletterText, Subscriber, SubscriptionState
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.signup.pending import add_pending, send_confirmation


@pytest.fixture
def second(house: House) -> int:
    """Add a newsletter in two languages; return its id."""
    with house.runtime.session() as session:
        row = Newsletter(
            slug="harbour",
            version=1,
            from_address="desk@harbour.example",
            reply_to="quay@harbour.example",
            postal_address="Quay 7",
            languages=["lt", "en"],
            time_zone="Europe/Vilnius",
            created_at=house.clock(),
        )
        session.add(row)
        session.flush()
        for language, name in (("lt", "Uosto naujienos"), ("en", "Harbour News")):
            session.add(
                NewsletterText(
                    newsletter_id=row.id, language=language, version=1, name=name, since=house.clock()
                )
            )
        session.commit()
        return row.id


def sent(house: House) -> list[EmailMessage]:
    return [message_from_bytes(each.content, policy=policy.default) for each in house.transport.sent]


def test_its_digest_has_its_sender_and_its_name_in_the_subscribers_language(house, second):
    topic = house.topic("harbours", newsletter=second)
    for name, language in (("ann", "en"), ("jonas", "lt"), ("rene", "fr")):
        subscriber = house.add_subscriber(topic, name=name)
        with house.runtime.session() as session:
            session.get_one(Subscriber, subscriber).language = language
            session.commit()
    house.release("New harbours")
    with house.runtime.session() as session:
        issue = open_issue(
            session, [Frequency.WEEKLY], actor="test", now=house.clock(), newsletter_id=second
        ).id
        session.commit()

    house.prepare(issue)
    house.drain()

    texts = {each["To"]: each.get_body(("plain",)).get_content() for each in sent(house)}
    assert {each["From"] for each in sent(house)} == {"Uosto naujienos <desk@harbour.example>"}
    assert {each["Reply-To"] for each in sent(house)} == {"quay@harbour.example"}
    assert "Harbour News" in texts["ann@example.org"]
    assert "Uosto naujienos" in texts["jonas@example.org"]
    assert "Uosto naujienos" in texts["rene@example.org"]
    assert all("Quay 7" in text and "The Release Letter" not in text for text in texts.values())


def test_its_confirmation_has_its_sender(house, second):
    topic = house.topic("harbours", newsletter=second)
    with house.runtime.session() as session:
        subscriber = Subscriber(
            email="ann@example.org", email_key="ann@example.org", language="en", created_at=house.clock()
        )
        session.add(subscriber)
        session.flush()
        add_pending(session, subscriber.id, {topic: Frequency.DAILY}, house.clock())
        pending = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.PENDING)
        send_confirmation(session, subscriber, pending, "signup:1", house.clock())
        session.commit()

    house.drain("single")

    (email,) = sent(house)
    assert email["From"] == "Uosto naujienos <desk@harbour.example>"
    assert "Harbour News" in email.get_body(("plain",)).get_content()


def test_issues_are_numbered_by_newsletter(house, second):
    house.add_subscriber(house.topic("energy"))
    house.add_subscriber(house.topic("cables", "cable", newsletter=second))
    house.release("A new energy cable")
    with house.runtime.session() as session:
        first = open_issue(session, [Frequency.WEEKLY], actor="test", now=house.clock())
        other = open_issue(session, [Frequency.WEEKLY], actor="test", now=house.clock(), newsletter_id=second)
        again = open_issue(session, [Frequency.WEEKLY], actor="test", now=house.clock())

        assert [first.title, other.title, again.title] == ["No. 1", "No. 1", "No. 2"]
