"""The reason why a release is in an email or not. Each test arranges one."""

from __future__ import annotations

from datetime import timedelta

from digest_explained import explain_in
from house import House, edit_release, public_id
from scheduled import Scheduled, at

from newsletter import suppression
from newsletter.digest.explain.reasons import Why
from newsletter.models import (
    Delivery,
    DeliveryState,
    Frequency,
    Release,
    ReleaseState,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.editing.embargo import set_embargo

DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


def why(house: House, subscriber: int, release: int, when: str = "") -> tuple[Why, str]:
    found = explain_in(house, subscriber, at(when) if when else None)
    verdict = next(each for each in found.verdicts if each.release.id == release)
    return verdict.why, verdict.sentence


def begin(schedule: Scheduled, *, frequency: Frequency = DAILY) -> tuple[House, int, int]:
    """Start the schedule on Monday at noon; return the house, a topic and its subscriber."""
    house = schedule.house
    energy = house.topic("energy")
    anna = house.add_subscriber(energy, frequency=frequency)
    schedule.start("2026-03-09 12:00")
    return house, energy, anna


def test_a_new_release_is_in_the_next_email_and_not_in_the_one_after_it(either: Scheduled):
    house, _, anna = begin(either)
    cable = house.release("An energy cable")

    assert why(house, anna, cable) == (Why.IN, "It is new under Energy (daily).")
    assert why(house, anna, cable, "2026-03-11 00:00") == (
        Why.BEFORE, "It comes earlier, at Tue 2026-03-10 08:00 (UTC), under Energy (daily).",
    )  # fmt: skip


def test_a_release_of_another_frequency_comes_on_its_date(one: Scheduled):
    house, _, anna = begin(one, frequency=WEEKLY)
    ports = house.topic("ports")
    with house.runtime.session() as session:
        session.add(house.subscription(anna, ports, DAILY))
        session.commit()
    one.work("2026-03-10 12:00")
    cable = house.release("An energy cable")

    assert why(house, anna, cable) == (
        Why.NOT_DUE, "It comes with the weekly issue at Tue 2026-03-17 08:00 (UTC).",
    )  # fmt: skip


def test_a_held_release_says_why_and_one_that_becomes_ready_in_time_is_in(one: Scheduled):
    house, _, anna = begin(one)
    cable, plant = house.release("An energy cable"), house.release("An energy plant")
    edit_release(house, plant, ReleaseAction.HOLD)
    with house.runtime.session() as session:
        set_embargo(session, public_id(house, cable), at("2026-03-11 07:00"), "test", house.clock())
        session.commit()

    assert why(house, anna, plant) == (Why.HELD, "It is held: an editor holds it.")
    assert why(house, anna, cable) == (
        Why.HELD, "It is held: it is under embargo until Wed 2026-03-11 07:00 (UTC).",
    )  # fmt: skip
    assert why(house, anna, cable, "2026-03-11 08:00")[0] is Why.IN


def test_excluded_and_deleted_releases_and_those_without_a_topic(one: Scheduled):
    house, _, anna = begin(one)
    excluded = house.release("An energy plant", state=ReleaseState.EXCLUDED)
    deleted = house.release("An energy cable", state=ReleaseState.EXCLUDED)
    topicless = house.release("A concert")
    with house.runtime.session() as session:
        session.get_one(Release, deleted).deleted_at = house.clock()
        session.commit()

    assert why(house, anna, excluded)[0] is Why.EXCLUDED
    assert why(house, anna, deleted) == (Why.DELETED, "It was deleted.")
    assert why(house, anna, topicless) == (Why.NO_TOPIC, "It has no topic of this newsletter.")


def test_a_release_that_gets_no_sequence_is_in_no_email(one: Scheduled):
    house, _, anna = begin(one)
    old, later = house.release("An energy cable"), house.release("An energy plant")
    with house.runtime.session() as session:
        session.get_one(Release, old).is_kept_back = True
        for release in (old, later):
            session.get_one(Release, release).topic_links[0].sequence = None
        session.commit()

    assert why(house, anna, old)[0] is Why.KEPT_BACK
    assert why(house, anna, later)[0] is Why.TOPIC_ADDED_LATER


def test_a_release_that_another_email_has_names_it(one: Scheduled):
    house, _, anna = begin(one)
    cable = house.release("An energy cable")
    one.work("2026-03-10 08:00")

    assert why(house, anna, cable) == (
        Why.IN_OTHER_EMAIL, "It is in “No. 1” (delivered to the relay, Tue 2026-03-10 08:00 (UTC)).",
    )  # fmt: skip


def test_a_refused_email_is_named(one: Scheduled):
    house, _, anna = begin(one)
    cable = house.release("An energy cable")
    one.work("2026-03-10 08:00")
    with house.runtime.session() as session:
        session.query(Delivery).one().state = DeliveryState.REJECTED
        session.commit()

    assert why(house, anna, cable) == (
        Why.REFUSED, "It was in “No. 1” (refused, Tue 2026-03-10 08:00 (UTC)).",
    )  # fmt: skip


def test_topics_without_a_confirmed_subscription(one: Scheduled):
    house, energy, _ = begin(one)
    ben = house.add_subscriber(house.topic("ports"), frequency=DAILY)
    cable = house.release("An energy cable")

    assert why(house, ben, cable) == (Why.NOT_SUBSCRIBED, "The subscriber does not get Energy.")

    with house.runtime.session() as session:
        row = house.subscription(ben, energy, DAILY)
        row.state = SubscriptionState.PENDING
        session.add(row)
        session.commit()
    assert why(house, ben, cable)[0] is Why.NOT_CONFIRMED


def test_a_pause_and_a_suppression_stop_everything(one: Scheduled):
    house, _, anna = begin(one)
    cable = house.release("An energy cable")
    with house.runtime.session() as session:
        person = session.get_one(Subscriber, anna)
        person.snoozed_until = house.clock() + timedelta(days=2)
        session.commit()

    assert why(house, anna, cable) == (
        Why.PAUSED, "The subscriber pauses until Wed 2026-03-11 12:00 (UTC).",
    )  # fmt: skip
    assert why(house, anna, cable, "2026-03-12 08:00")[0] is Why.IN

    with house.runtime.session() as session:
        suppression.add_by_hand(session, house.runtime.tokens, "reader1@example.org", "test", house.clock())
        session.commit()
    assert why(house, anna, cable)[0] is Why.SUPPRESSED


def test_a_language_that_was_not_chosen(one: Scheduled):
    house, _, anna = begin(one)
    cable = house.release("An energy cable")
    with house.runtime.session() as session:
        session.get_one(Subscriber, anna).release_languages = "de"
        session.commit()

    assert why(house, anna, cable) == (
        Why.LANGUAGE, "It is in English, which the subscriber did not choose for releases.",
    )  # fmt: skip

    with house.runtime.session() as session:
        session.get_one(Subscriber, anna).release_languages = None
        session.query(Subscription).filter_by(subscriber_id=anna).one().covered_to = 1
        session.commit()
    assert why(house, anna, cable)[0] is Why.SERVED


def test_a_release_from_before_the_subscription(one: Scheduled):
    house = one.house
    energy = house.topic("energy")
    cable = house.release("An energy cable")
    anna = house.add_subscriber(energy, frequency=DAILY)
    one.start("2026-03-09 12:00")

    assert why(house, anna, cable)[0] is Why.OLDER
