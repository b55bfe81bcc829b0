"""Disowning a confirmation email: what it ends, what it keeps, and undoing it."""

from __future__ import annotations

import pytest

from newsletter.models import AddressMark, Delivery, Frequency, Subscriber
from newsletter.subscribers.address_marks import DISOWNED_FOR, DISOWNED_REST
from newsletter.subscribers.link import LinkFault
from newsletter.subscribers.signup.disown import Disowning, disown, own, read_disowning
from newsletter.tokens import Purpose

ANN = "ann@example.org"
DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


def link(people, email=ANN):
    tokens = people.house.runtime.tokens
    payload = tokens.read(Purpose.CONFIRM, people.confirmation(email), people.house.clock())
    return tokens.make(Purpose.DISOWN, payload, people.house.clock())


def act(people, do, token, **more):
    with people.house.runtime.session() as session:
        done = do(session, people.house.runtime.tokens, token, people.house.clock(), **more)
        session.commit()
        return done


def confirmations(people):
    return sum(1 for each in people.house.all(Delivery) if each.template == "confirm")


def test_reading_the_link_changes_nothing(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})

    assert act(people, read_disowning, link(people)) == Disowning(
        pending=True, done=False, is_subscriber=False
    )
    assert people.acts(ANN) == ["asked"]


def test_disowning_ends_the_request_and_empties_the_address(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    token = link(people)

    assert act(people, disown, token) == Disowning(pending=False, done=True, is_subscriber=False)

    (person,) = people.house.all(Subscriber)
    assert (person.email, person.email_key) == (None, None)
    (mark,) = people.house.all(AddressMark)
    assert ANN not in mark.address_hash
    people.house.drain("single")
    assert people.house.recipients() == []


def test_a_confirmation_link_starts_nothing_once_disowned(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    confirmation = people.confirmation(ANN)
    act(people, disown, link(people))

    assert people.confirm(confirmation) is LinkFault.EXPIRED


def test_a_disowned_address_is_emailed_once_a_month_at_most(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    act(people, disown, link(people))
    before = confirmations(people)

    for _ in range(DISOWNED_FOR.days - 1):
        people.house.clock.pass_(days=1)
        people.sign_up(ANN, {"energy": DAILY})
        people.ask_for_link(ANN)
        people.ask_for_link(ANN, renew=True)
        people.resolve()

    assert confirmations(people) - before == DISOWNED_FOR // DISOWNED_REST - 1


def test_after_ninety_days_a_disowned_address_is_like_any_other(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    act(people, disown, link(people))

    people.house.clock.pass_(days=DISOWNED_FOR.days)
    people.sign_up(ANN, {"energy": DAILY})

    assert people.templates(ANN) == ["confirm"]


def test_a_person_who_disowned_by_mistake_can_undo_it_and_sign_up(people):
    energy = people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    token = link(people)
    act(people, disown, token)

    assert act(people, own, token) == Disowning(pending=False, done=False, is_subscriber=False)
    people.house.clock.pass_(minutes=11)
    people.sign_up(ANN, {"energy": WEEKLY})
    people.confirm(people.confirmation(ANN))

    assert people.reads(ANN) == {energy: WEEKLY}


def test_disowning_keeps_confirmed_subscriptions(everywhere):
    people = everywhere
    energy = people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"energy": WEEKLY})
    people.house.clock.pass_(hours=1)
    people.sign_up(ANN, {"sea": DAILY, "energy": DAILY})

    done = act(people, disown, link(people))

    assert done == Disowning(pending=False, done=True, is_subscriber=True)
    assert people.reads(ANN) == {energy: WEEKLY}
    assert people.endings(ANN) == ["disowned", "disowned"]
    assert people.person(ANN).email == ANN
    assert people.acts(ANN) == ["asked", "confirmed", "asked", "disowned"]
    people.house.clock.pass_(hours=1)
    people.ask_for_link(ANN)
    people.resolve()
    assert people.templates(ANN)[-1] == "link"


def test_disowning_twice_adds_one_ledger_entry(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.house.clock.pass_(hours=1)
    people.sign_up(ANN, {"energy": DAILY})
    token = link(people)

    assert act(people, disown, token) == act(people, disown, token)

    assert people.acts(ANN).count("disowned") == 1


def test_the_link_never_expires(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    token = link(people)

    people.house.clock.pass_(days=3650)

    assert act(people, read_disowning, token).pending


@pytest.mark.parametrize("purpose", [each for each in Purpose if each is not Purpose.DISOWN])
def test_a_link_for_something_else_disowns_nothing(people, purpose):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    tokens = people.house.runtime.tokens
    payload = [people.person(ANN).public_id, tokens.fingerprint(ANN), 99]

    token = tokens.make(purpose, payload, people.house.clock())

    assert act(people, disown, token) is LinkFault.DAMAGED
    assert people.acts(ANN) == ["asked"]


def test_a_link_to_an_earlier_address_disowns_nothing(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    token = link(people)
    with people.house.runtime.session() as session:
        person = session.merge(people.person(ANN))
        person.email = person.email_key = "ann@elsewhere.example.org"
        session.commit()

    assert act(people, disown, token) is LinkFault.OUTDATED
