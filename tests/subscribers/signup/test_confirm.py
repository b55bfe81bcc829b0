"""Confirming a sign-up: what it starts, with which marks, and what links cannot do."""

from __future__ import annotations

import pytest

from newsletter.models import Frequency, SubscriptionState, current_sequence
from newsletter.subscribers.consent.wording import current_wording
from newsletter.subscribers.link import LinkFault
from newsletter.subscribers.signup.confirm import Confirmation, Confirmed, read_confirmation
from newsletter.tokens import Purpose

ANN = "ann@example.org"
DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


def read(people, token):
    with people.house.runtime.session() as session:
        return read_confirmation(session, people.house.runtime.tokens, token, people.house.clock())


def test_reading_a_link_names_the_topics_and_changes_nothing(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})

    found = read(people, people.confirmation(ANN))

    assert isinstance(found, Confirmation)
    assert [(topic.name, topic.frequency) for topic in found.topics] == [("Energy", DAILY)]
    assert people.reads(ANN) == {}


def test_confirming_starts_what_was_asked_and_says_so_in_the_ledger(everywhere):
    people = everywhere
    energy = people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})

    done = people.confirm(people.confirmation(ANN), ip_address="192.0.2.0")

    assert isinstance(done, Confirmed)
    assert people.reads(ANN) == {energy: DAILY}
    assert people.person(ANN).confirmed_at == people.house.clock()
    confirmed = people.ledger(ANN)[-1]
    assert (confirmed.act, confirmed.how, confirmed.ip_address) == ("confirmed", "link", "192.0.2.0")
    assert confirmed.wording_hash == current_wording().hash
    assert confirmed.detail == {"newsletter": "news", "topics": {"energy": "daily"}}


def test_confirming_twice_is_harmless_and_reading_says_it_is_done(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    token = people.confirmation(ANN)
    people.confirm(token)

    again = people.confirm(token)

    assert isinstance(again, Confirmed)
    assert again.started == 0
    assert read(people, token) is LinkFault.USED
    assert people.acts(ANN) == ["asked", "confirmed"]


def test_a_used_link_does_not_restore_an_unsubscribed_person(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    token = people.confirmation(ANN)
    people.confirm(token)
    people.leave(ANN)

    assert people.confirm(token) is LinkFault.USED
    assert people.reads(ANN) == {}


def test_a_link_confirms_no_request_that_came_after_its_email(people):
    energy = people.house.topic("energy")
    people.house.topic("sea")
    people.sign_up(ANN, {"energy": DAILY})
    token = people.confirmation(ANN)
    people.sign_up(ANN, {"sea": DAILY})

    people.confirm(token)

    assert people.reads(ANN) == {energy: DAILY}


def test_a_link_whose_topics_were_requested_again_is_replaced(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    first = people.confirmation(ANN)
    people.sign_up(ANN, {"energy": WEEKLY})

    assert read(people, first) is LinkFault.REPLACED
    assert people.confirm(first) is LinkFault.REPLACED
    assert isinstance(read(people, people.confirmation(ANN)), Confirmation)


def test_a_link_expires(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    token = people.confirmation(ANN)

    people.house.clock.pass_(days=8)

    assert read(people, token) is LinkFault.EXPIRED
    assert people.confirm(token) is LinkFault.EXPIRED


@pytest.mark.parametrize("spoil", [lambda t: t[:-3], lambda t: "x" + t, lambda t: "", lambda t: t * 40])
def test_a_damaged_link_confirms_nothing(people, spoil):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})

    assert people.confirm(spoil(people.confirmation(ANN))) is LinkFault.DAMAGED
    assert people.reads(ANN) == {}


def test_a_link_made_for_something_else_confirms_nothing(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    tokens = people.house.runtime.tokens
    payload = [people.person(ANN).public_id, tokens.fingerprint(ANN), 99]

    token = tokens.make(Purpose.PREFERENCES, payload, people.house.clock())

    assert people.confirm(token) is LinkFault.DAMAGED


def test_a_link_to_an_earlier_address_is_outdated(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    token = people.confirmation(ANN)
    with people.house.runtime.session() as session:
        person = session.merge(people.person(ANN))
        person.email = person.email_key = "ann@elsewhere.example.org"
        session.commit()

    assert people.confirm(token) is LinkFault.OUTDATED


def test_a_new_subscriber_gets_later_releases(people):
    people.house.topic("energy")
    people.house.release("Energy before")
    people.join(ANN, {"energy": WEEKLY})
    after = people.house.release("Energy after")

    people.house.send()

    assert people.house.releases_sent(people.person(ANN).id) == [after]


def test_a_new_subscriber_can_get_the_newest_releases_too(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.house.topic("sea")
    releases = [people.house.release(f"Energy number {number}") for number in range(4)]
    people.house.release("Sea alone")
    people.join(ANN, {"energy": WEEKLY}, welcome_releases=2)

    people.house.send()

    assert sorted(people.house.releases_sent(people.person(ANN).id)) == releases[2:]


def test_more_welcome_releases_than_the_topic_has_bring_only_that_topic(people):
    people.house.topic("energy")
    people.house.topic("sea")
    people.house.release("Sea first")
    first = people.house.release("Energy first")
    people.join(ANN, {"energy": WEEKLY}, welcome_releases=10)

    people.house.send()

    assert people.house.releases_sent(people.person(ANN).id) == [first]


def test_without_welcome_releases_the_marks_begin_at_the_counter(people):
    people.house.topic("energy")
    people.house.topic("sea")
    people.house.release("Sea first")

    people.join(ANN, {"energy": WEEKLY}, welcome_releases=10)

    with people.house.runtime.session() as session:
        today = current_sequence(session)
    (row,) = people.subscriptions(ANN)
    assert (row.started_sequence, row.covered_to) == (today, today)


def test_a_new_frequency_keeps_the_old_marks(everywhere):
    people = everywhere
    energy = people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    first = people.house.release("Energy first")
    people.house.send(WEEKLY)
    second = people.house.release("Energy second")
    people.house.clock.pass_(hours=1)

    people.sign_up(ANN, {"energy": DAILY})
    people.confirm(people.confirmation(ANN), welcome_releases=10)
    people.house.send(DAILY)

    assert people.reads(ANN) == {energy: DAILY}
    assert people.endings(ANN) == ["changed"]
    assert people.house.releases_sent(people.person(ANN).id) == [first, second]
    old, new = people.subscriptions(ANN)
    assert new.started_sequence == old.started_sequence
    assert new.state is SubscriptionState.ACTIVE
