"""Pausing and resuming a subscriber's emails."""

from __future__ import annotations

from datetime import timedelta

import pytest

from newsletter.errors import StateConflict
from newsletter.models import Delivery, DeliveryState, Frequency, Issue, Subscriber
from newsletter.outbox import control
from newsletter.subscribers.choices.pauses import end_pauses
from newsletter.subscribers.choices.preferences import pause, resume
from newsletter.subscribers.leaving.undo import make_undo_token, undo

ANN = "ann@example.org"
BEN = "ben@example.org"
DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


def pauses(people, weeks=1, email=ANN):
    token = people.preferences_token(email)
    with people.house.runtime.session() as session:
        done = pause(session, people.house.runtime.tokens, token, weeks, people.house.clock())
        session.commit()
        return done


def goes_on(people, catch_up=10):
    token = people.preferences_token(ANN)
    with people.house.runtime.session() as session:
        done = resume(session, people.house.runtime.tokens, token, catch_up, people.house.clock())
        session.commit()
        return done


def sweep(people, catch_up=10):
    with people.house.runtime.session() as session:
        done = end_pauses(session, catch_up, people.house.clock())
        session.commit()
        return done


def sent(people, email=ANN):
    return people.house.releases_sent(people.person(email).id)


def test_nothing_comes_during_a_pause_and_all_of_it_after(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.join(BEN, {"energy": WEEKLY})
    first = people.house.release("Energy first")

    assert pauses(people, weeks=4)
    people.house.clock.pass_(days=1)
    people.house.send(WEEKLY)
    during = sent(people)
    people.house.clock.pass_(weeks=4)
    assert sweep(people) == 1
    people.house.clock.pass_(seconds=1)
    second = people.house.release("Energy second")
    people.house.send(WEEKLY)

    assert during == []
    assert sorted(sent(people)) == [first, second]
    assert sent(people, BEN) == [first, second]
    assert people.acts(ANN)[-2:] == ["snoozed", "resumed"]


def test_a_pause_lasts_until_it_was_ended_whatever_the_clock_of_the_preparing_host_says(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    release = people.house.release("Energy")
    pauses(people, weeks=1)
    people.house.clock.pass_(days=7, minutes=5)
    with pytest.raises(StateConflict):
        people.house.send(WEEKLY)

    sweep(people)
    people.house.send(WEEKLY)

    assert sent(people) == [release]


def test_after_a_pause_only_the_newest_releases_of_each_topic_come(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"energy": WEEKLY, "sea": WEEKLY})
    pauses(people)
    energy = [people.house.release(f"Energy {number}") for number in range(5)]
    sea = [people.house.release("Sea one")]

    people.house.clock.pass_(days=8)
    sweep(people, catch_up=2)
    people.house.clock.pass_(seconds=1)
    people.house.send(WEEKLY)

    assert sorted(sent(people)) == sorted([*energy[-2:], *sea])


def test_dropped_releases_stay_dropped_when_an_issue_is_cancelled(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.join(BEN, {"energy": WEEKLY})
    pauses(people)
    releases = [people.house.release(f"Energy {number}") for number in range(4)]
    people.house.clock.pass_(days=8)
    sweep(people, catch_up=1)
    people.house.clock.pass_(seconds=1)
    issue = people.house.open(WEEKLY)
    cancel(people, issue)

    people.house.send(WEEKLY)

    held = [each for each in people.house.all(Delivery) if each.state is DeliveryState.ACCEPTED]
    assert [each.subscriber_id for each in held].count(people.person(ANN).id) == 1
    assert set(sent(people)) == {releases[-1]}


def cancel(people, issue_id):
    with people.house.runtime.session() as session:
        control.cancel(session, session.get_one(Issue, issue_id), "test", people.house.clock())
        session.commit()


def test_resuming_at_once_brings_the_missed_releases(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    pauses(people, weeks=12)
    release = people.house.release("Energy")
    people.house.clock.pass_(days=1)

    assert goes_on(people)
    people.house.clock.pass_(seconds=1)
    people.house.send(WEEKLY)

    assert sent(people) == [release]
    assert people.person(ANN).snoozed_until is None
    assert not goes_on(people)


def test_digests_that_wait_in_the_outbox_are_skipped_and_come_later(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.join(BEN, {"energy": WEEKLY})
    release = people.house.release("Energy")
    people.house.clock.pass_(seconds=1)
    issue = people.house.open(WEEKLY)

    people.house.clock.pass_(seconds=1)
    pauses(people)
    people.house.drain()
    meanwhile = people.house.recipients()
    people.house.clock.pass_(days=8)
    sweep(people)
    people.house.clock.pass_(seconds=1)
    people.house.send(WEEKLY)

    assert meanwhile == [BEN]
    assert people.house.recipients() == [ANN, BEN]
    assert people.house.issue_state(issue) == "finished"
    assert sent(people) == [release, release]  # The skipped delivery, and the one that was sent.


def test_a_digest_deferred_during_a_pause_is_skipped_at_the_next_claim(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.house.release("Energy")
    people.house.clock.pass_(seconds=1)
    people.house.open(WEEKLY)
    change(people, DeliveryState.LEASED)
    pauses(people)
    change(people, DeliveryState.DEFERRED)

    people.house.drain()
    people.house.clock.pass_(days=8)
    sweep(people)
    people.house.clock.pass_(seconds=1)
    people.house.send(WEEKLY)

    assert people.house.recipients() == [ANN]
    assert people.house.states()[-2:] == ["skipped", "accepted"]


def change(people, state):
    with people.house.runtime.session() as session:
        session.query(Delivery).filter(Delivery.issue_id.is_not(None)).update({"state": state})
        session.commit()


def test_single_emails_are_sent_during_a_pause(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    pauses(people)
    people.house.clock.pass_(hours=1)

    people.ask_for_link(ANN)
    people.resolve()

    assert people.templates(ANN)[-1] == "link"


def test_a_changed_frequency_keeps_the_pause(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    pauses(people)
    people.house.release("Energy")

    people.choose(ANN, {"energy": DAILY})
    people.join(BEN, {"energy": DAILY})
    people.house.release("Energy again")
    people.house.clock.pass_(seconds=1)
    people.house.send(DAILY)

    assert people.house.recipients() == [BEN]


def test_a_person_who_unsubscribed_and_signs_up_again_is_not_paused(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    pauses(people, weeks=12)
    people.leave(ANN)
    people.house.clock.pass_(hours=1)

    people.join(ANN, {"energy": WEEKLY})

    assert people.person(ANN).snoozed_until is None


def test_a_pause_that_ends_after_unsubscribing_resumes_nothing(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    pauses(people)
    people.leave(ANN)
    people.house.clock.pass_(days=8)

    sweep(people)

    assert people.acts(ANN)[-2:] == ["snoozed", "left"]
    assert people.person(ANN).snoozed_until is None


def undoes(people, left):
    tokens = people.house.runtime.tokens
    link = make_undo_token(tokens, left.public_id, left.ended_at, left.ended_at, left.email_key)
    with people.house.runtime.session() as session:
        done = undo(session, tokens, link, people.house.clock())
        session.commit()
        return done


def leaves_one_topic_and_chooses_it_again(people):
    people.choose(ANN, {"sea": WEEKLY})
    the_pause_ends(people)
    people.choose(ANN, {"energy": WEEKLY, "sea": WEEKLY})


def unsubscribes_and_undoes(people):
    left = people.leave(ANN)
    the_pause_ends(people)
    assert undoes(people, left).restored == 2


def unsubscribes_and_confirms_again(people):
    people.leave(ANN)
    the_pause_ends(people)
    people.join(ANN, {"energy": WEEKLY, "sea": WEEKLY})


def the_pause_ends(people):
    people.house.clock.pass_(days=5)
    sweep(people, catch_up=1)
    assert people.person(ANN).snoozed_until is None


@pytest.mark.parametrize(
    "comes_back",
    [leaves_one_topic_and_chooses_it_again, unsubscribes_and_undoes, unsubscribes_and_confirms_again],
)
def test_a_topic_chosen_again_after_the_pause_brings_only_its_newest_releases(everywhere, comes_back):
    people = everywhere
    people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"energy": WEEKLY, "sea": WEEKLY})
    pauses(people)
    people.house.release("Energy older")
    newest = people.house.release("Energy newest")
    people.house.clock.pass_(days=3)

    comes_back(people)
    people.house.clock.pass_(seconds=1)
    people.house.send(WEEKLY)

    assert sent(people) == [newest]


def test_a_person_without_topics_cannot_pause_and_other_lengths_are_refused(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    with pytest.raises(ValueError, match="not offered"):
        pauses(people, weeks=2)
    people.leave(ANN)

    assert pauses(people) is False
    assert people.person(ANN).snoozed_until is None


def test_pausing_again_counts_from_today(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    pauses(people, weeks=12)
    people.house.clock.pass_(days=1)

    pauses(people, weeks=1)

    (ann,) = (each for each in people.house.all(Subscriber) if each.email == ANN)
    assert ann.snoozed_until == people.house.clock() + timedelta(weeks=1)
