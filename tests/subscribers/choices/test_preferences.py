"""Preferences that subscribers save with their link."""

from __future__ import annotations

from newsletter.models import Frequency
from newsletter.subscribers.choices.preferences import Saved, read_preferences, save_preferences
from newsletter.subscribers.leaving.unsubscribe import Unsubscribed
from newsletter.subscribers.link import LinkFault

ANN = "ann@example.org"
DAILY, WEEKLY, MONTHLY = Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY


def test_the_page_shows_every_topic_and_what_is_chosen(people):
    people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"sea": WEEKLY})
    token = people.preferences_token(ANN)

    with people.house.runtime.session() as session:
        found = read_preferences(session, people.house.runtime.tokens, token, people.house.clock())

    assert {choice.slug: choice.frequency for choice in found.choices} == {"energy": None, "sea": WEEKLY}


def test_a_subscriber_adds_and_drops_topics_and_changes_frequencies_at_once(everywhere):
    people = everywhere
    energy, sea, night = (people.house.topic(slug) for slug in ("energy", "sea", "night"))
    people.join(ANN, {"energy": DAILY, "sea": WEEKLY})

    done = people.choose(ANN, {"sea": MONTHLY, "night": DAILY})

    assert done is Saved.KEPT
    assert people.reads(ANN) == {sea: MONTHLY, night: DAILY}
    assert energy not in people.reads(ANN)
    assert people.ledger(ANN)[-1].act == "changed"
    assert people.ledger(ANN)[-1].detail == {
        "newsletter": "news",
        "topics": {"sea": "monthly", "night": "daily"},
    }


def test_a_new_frequency_loses_nothing_and_repeats_nothing(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    first = people.house.release("Energy first")
    people.house.send(WEEKLY)
    second = people.house.release("Energy second")

    people.choose(ANN, {"energy": DAILY})
    third = people.house.release("Energy third")
    people.house.send(DAILY)
    people.choose(ANN, {"energy": WEEKLY})
    fourth = people.house.release("Energy fourth")
    people.house.send(WEEKLY)

    sent = people.house.releases_sent(people.person(ANN).id)
    assert sent[0] == first
    assert sorted(sent[1:3]) == [second, third]
    assert sent[3:] == [fourth]


def test_saving_the_same_preferences_changes_nothing(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})

    people.choose(ANN, {"energy": WEEKLY})

    assert people.acts(ANN) == ["asked", "confirmed"]
    assert len(people.subscriptions(ANN)) == 1


def test_saved_preferences_void_requests_by_somebody_else(people):
    energy = people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"energy": WEEKLY})
    people.sign_up(ANN, {"sea": DAILY})
    strangers = people.confirmation(ANN)

    people.choose(ANN, {"energy": WEEKLY})

    assert people.confirm(strangers).started == 0
    assert people.reads(ANN) == {energy: WEEKLY}


def test_choosing_no_topic_unsubscribes(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})

    done = people.choose(ANN, {})

    assert isinstance(done, Unsubscribed)
    assert people.reads(ANN) == {}
    assert (people.ledger(ANN)[-1].act, people.ledger(ANN)[-1].how) == ("left", "preferences")


def test_a_former_subscriber_gets_one_confirmation_email(people):
    energy = people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.leave(ANN)

    done = [people.choose(ANN, {"energy": DAILY}), people.choose(ANN, {"energy": DAILY})]

    assert done == [Saved.ASKED, Saved.WITHHELD]
    assert people.reads(ANN) == {}
    assert people.templates(ANN) == ["confirm", "confirm"]  # The first is that of the sign-up.
    people.confirm(people.confirmation(ANN))
    assert people.reads(ANN) == {energy: DAILY}


def test_a_former_subscriber_who_saves_again_gets_another_email(people):
    energy = people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.leave(ANN)
    people.choose(ANN, {"energy": DAILY})
    people.house.clock.pass_(days=8)  # Its link has expired too.

    people.choose(ANN, {"energy": DAILY})

    assert people.templates(ANN) == ["confirm"] * 3
    assert people.acts(ANN).count("asked") == 2
    people.confirm(people.confirmation(ANN))
    assert people.reads(ANN) == {energy: DAILY}


def test_saving_repeatedly_does_not_void_the_last_emailed_link(people):
    energy = people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.leave(ANN)

    for frequency in (DAILY, MONTHLY, WEEKLY, DAILY):
        people.choose(ANN, {"energy": frequency})

    last = len(people.mails(ANN))
    people.confirm(people.confirmation(ANN))
    assert (last, len(people.reads(ANN))) == (2, 1)
    assert people.reads(ANN) == {energy: DAILY}


def test_an_old_link_held_by_somebody_else_causes_few_emails(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.leave(ANN)

    for _ in range(10):
        people.choose(ANN, {"energy": DAILY})
        people.choose(ANN, {"energy": MONTHLY})

    assert len(people.mails(ANN)) <= 3


def test_a_link_ends_when_the_address_changes(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    token = people.preferences_token(ANN)
    with people.house.runtime.session() as session:
        person = session.merge(people.person(ANN))
        person.email = person.email_key = "ann@elsewhere.example.org"
        session.commit()

    with people.house.runtime.session() as session:
        found = read_preferences(session, people.house.runtime.tokens, token, people.house.clock())

    assert found is LinkFault.OUTDATED


def test_a_link_works_as_long_as_the_subscription(people):
    energy = people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    token = people.preferences_token(ANN)
    people.house.clock.pass_(days=365 * 20)

    with people.house.runtime.session() as session:
        done = save_preferences(
            session, people.house.runtime.tokens, token, {"energy": DAILY}, people.house.clock()
        )
        session.commit()

    assert done is Saved.KEPT
    assert people.reads(ANN) == {energy: DAILY}


def test_a_topic_added_by_a_subscriber_can_bring_its_newest_releases(people):
    people.house.topic("energy")
    people.house.topic("sea")
    old, new = people.house.release("Sea first"), people.house.release("Sea second")
    people.join(ANN, {"energy": WEEKLY})

    people.choose(ANN, {"energy": WEEKLY, "sea": WEEKLY}, welcome_releases=1)
    people.house.send(WEEKLY)

    assert people.house.releases_sent(people.person(ANN).id) == [new]
    assert old != new
