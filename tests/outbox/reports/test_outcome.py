"""The outcome of an issue counts unsubscribing and returned mail, and names why people did not get it."""

from __future__ import annotations

from house import House
from sqlalchemy import select

from newsletter.models import Delivery, DeliveryState, Frequency, Issue, Subscriber
from newsletter.outbox.reports.outcome import MOST_REASONS, Outcome, read_outcome
from newsletter.subscribers.leaving.unsubscribe import unsubscribe


def sent_to(house: House, people: int) -> int:
    topic = house.topic("energy")
    for _ in range(people):
        house.add_subscriber(topic, frequency=Frequency.WEEKLY)
    house.release("An energy cable")
    return house.send()


def outcome(house: House, issue_id: int) -> Outcome:
    with house.runtime.reading() as session:
        return read_outcome(session, session.get_one(Issue, issue_id))


def change(house: House, number: int, **fields: object) -> None:
    """Change the delivery with this number."""
    with house.runtime.session() as session:
        for name, value in fields.items():
            setattr(session.get_one(Delivery, number), name, value)
        session.commit()


def test_an_issue_that_reached_everybody_has_no_reasons(either_house: House):
    issue = sent_to(either_house, 2)

    assert outcome(either_house, issue) == Outcome(0, 0, 0, [])


def test_a_subscriber_counts_once_who_unsubscribes_by_an_email_of_the_issue(either_house: House):
    house = either_house
    issue = sent_to(house, 3)
    with house.runtime.session() as session:
        ids = session.scalars(select(Subscriber.public_id).order_by(Subscriber.id)).all()
        delivery = session.scalars(select(Delivery.id).order_by(Delivery.id)).first()
        unsubscribe(session, house.runtime.tokens, ids[0], delivery, house.clock(), "link")
        unsubscribe(session, house.runtime.tokens, ids[1], None, house.clock(), "link")
        session.commit()

    assert outcome(house, issue).unsubscribed == 1


def test_returned_mail_is_counted(either_house: House):
    issue = sent_to(either_house, 3)
    change(either_house, 1, bounced_at=either_house.clock())
    change(either_house, 2, complained_at=either_house.clock())
    change(either_house, 3, complained_at=either_house.clock())

    found = outcome(either_house, issue)

    assert (found.bounced, found.complained) == (1, 2)


def test_the_most_frequent_reasons_come_first_and_are_limited(either_house: House):
    issue = sent_to(either_house, MOST_REASONS + 3)
    rejected = {"state": DeliveryState.REJECTED, "reply_text": "No"}
    for number in range(1, MOST_REASONS + 2):
        change(either_house, number, **rejected, reply_code=550, status=f"5.7.{number}")
    for number in (1, 2):
        change(either_house, number, **rejected, reply_code=550, status="5.7.1")
    change(either_house, MOST_REASONS + 2, state=DeliveryState.SKIPPED, reply_code=None, status=None)

    first, *others = outcome(either_house, issue).reasons

    assert (first.people, first.status, first.reply) == (2, "5.7.1", "No")
    assert len(others) == MOST_REASONS - 1
