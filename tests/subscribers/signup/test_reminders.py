"""Reminders: one email for an unconfirmed request, and none to anybody else."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from newsletter.models import Delivery, Frequency, Subscription
from newsletter.subscribers.signup.confirm import Confirmed
from newsletter.subscribers.signup.disown import disown
from newsletter.subscribers.signup.reminders import remind
from newsletter.suppression import add_by_hand
from newsletter.tokens import Purpose

ANN = "ann@example.org"
DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


def asks(people, email=ANN, **choices):
    people.sign_up(email, choices or {"energy": DAILY})
    people.house.drain("single")


def run(people, hours=48, **more):
    with people.house.runtime.session() as session:
        done = remind(session, people.house.runtime.tokens, hours, 14, people.house.clock(), **more)
        session.commit()
        return done


@pytest.fixture
def waiting(people):
    """Ann signed up for energy two days ago."""
    people.house.topic("energy")
    people.house.topic("sea")
    asks(people)
    people.house.clock.pass_(hours=49)
    return people


def test_a_person_who_has_not_confirmed_is_reminded_once(everywhere):
    people = everywhere
    energy = people.house.topic("energy")
    asks(people)

    people.house.clock.pass_(hours=47)
    assert run(people) == 0
    people.house.clock.pass_(hours=2)
    assert run(people) == 1
    assert run(people) == 0
    people.house.clock.pass_(days=10)
    assert run(people) == 0

    people.house.drain("single")
    assert people.house.recipients() == [ANN, ANN]
    assert b"Subject: Reminder: please confirm" in people.house.transport.sent[-1].content
    context = people.mails(ANN)[-1].context
    tokens = people.house.runtime.tokens
    payload = [people.person(ANN).public_id, tokens.fingerprint(ANN), context["upto"]]
    assert isinstance(people.confirm(tokens.make(Purpose.CONFIRM, payload, people.house.clock())), Confirmed)
    assert people.reads(ANN) == {energy: DAILY}


def test_a_reminder_is_not_sent_after_the_confirmation(waiting):
    people = waiting
    assert run(people) == 1
    people.confirm(people.confirmation(ANN))

    people.house.drain("single")

    assert people.house.recipients() == [ANN]


def test_a_subscriber_is_not_reminded_of_a_request_by_somebody_else(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.house.clock.pass_(hours=1)
    asks(people)
    people.house.clock.pass_(hours=49)

    assert run(people) == 0


def test_a_person_with_two_requests_is_reminded_of_the_last(waiting):
    people = waiting
    asks(people, sea=WEEKLY)

    assert run(people) == 0
    people.house.clock.pass_(hours=49)
    assert run(people) == 1
    assert people.mails(ANN)[-1].context["topics"] == ["Energy", "Sea"]


def test_several_requests_bring_one_reminder_a_month(waiting):
    people = waiting
    assert run(people) == 1
    for frequency in (WEEKLY, DAILY, WEEKLY):
        asks(people, energy=frequency)
        people.house.clock.pass_(hours=49)
        assert run(people) == 0


def test_a_disowned_address_is_not_reminded(waiting):
    people = waiting
    tokens = people.house.runtime.tokens
    payload = tokens.read(Purpose.CONFIRM, people.confirmation(ANN), people.house.clock())
    with people.house.runtime.session() as session:
        disown(
            session, tokens, tokens.make(Purpose.DISOWN, payload, people.house.clock()), people.house.clock()
        )
        session.commit()

    assert run(people) == 0


def test_a_suppressed_address_is_not_reminded_and_keeps_nobody_waiting(waiting):
    people = waiting
    people.house.clock.pass_(hours=-49)
    asks(people, "bob@example.org")
    people.house.clock.pass_(hours=49)
    with people.house.runtime.session() as session:
        add_by_hand(session, people.house.runtime.tokens, ANN, "test", people.house.clock())
        session.commit()

    assert run(people, limit=1) == 1
    assert people.templates("bob@example.org") == ["confirm", "reminder"]


def test_a_person_whose_confirmation_was_not_accepted_is_not_reminded(waiting):
    people = waiting
    with people.house.runtime.session() as session:
        session.execute(update(Delivery).values(bounced_at=people.house.clock()))
        session.commit()

    assert run(people) == 0


def test_a_request_that_is_over_brings_no_reminder(waiting):
    people = waiting
    people.house.clock.pass_(days=13)

    assert run(people) == 0
    assert len(people.house.all(Subscription)) == 1
