"""Waves: each subscriber gets the email of a date once, at their hour, with what is new by then."""

from __future__ import annotations

from datetime import date

from house import House, meanwhile
from scheduled import Scheduled, at

from newsletter.digest.schedule.clock import open_waves
from newsletter.digest.schedule.prepare import WavePreparer, waves_to_prepare
from newsletter.models import FIRST_NEWSLETTER, Frequency, Issue, Subscription
from newsletter.outbox import control

DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


def open_now(one: Scheduled, when: str) -> list[int]:
    one.house.clock.moment = at(when)
    with one.house.runtime.session() as session:
        open_waves(session, FIRST_NEWSLETTER, at(when))
        session.commit()
        return waves_to_prepare(session)


def prepare_chunk(one: Scheduled, wave: int, size: int = 20_000) -> bool:
    with one.house.runtime.session() as session:
        more = WavePreparer(one.house.runtime.renderer, wave, size).step(session, one.house.clock())
        session.commit()
        return more


def test_subscribers_with_an_hour_of_their_own_get_the_same_date_at_it(either: Scheduled):
    house, energy = either.house, either.house.topic("energy")
    people = {
        name: house.add_subscriber(energy, frequency=DAILY, name=name) for name in ("ann", "ben", "eve")
    }
    either.start("2026-03-09 12:00")
    either.choose_hour(people["ben"], "Pacific/Kiritimati", 8)
    either.choose_hour(people["eve"], "America/New_York", 20)
    either.work("2026-03-09 17:59")
    house.release("An energy cable")

    assert either.work("2026-03-09 18:00") == ["ben"]  # it is 8:00 of the 10th there
    assert either.work("2026-03-10 08:00") == ["ann"]
    assert either.work("2026-03-11 00:00") == ["eve"]  # it is still the 10th there
    assert either.issues() == [(date(2026, 3, 10), "finished")]


def test_a_release_new_in_a_later_wave_gets_fragments_of_its_own(either: Scheduled):
    house, energy = either.house, either.house.topic("energy")
    ann = house.add_subscriber(energy, frequency=DAILY, name="ann")
    ben = house.add_subscriber(energy, frequency=DAILY, name="ben")
    either.start("2026-03-09 12:00")
    either.choose_hour(ben, "UTC", 10)
    cable = house.release("An energy cable")
    either.work("2026-03-10 08:00")
    more = house.release("More energy")

    either.work("2026-03-10 10:00")
    either.work("2026-03-11 08:00")
    either.work("2026-03-11 10:00")

    assert sorted(house.releases_sent(ben)) == [cable, more]
    assert house.releases_sent(ann) == [cable, more]
    assert len(house.transport.sent) == 3


def test_a_topic_added_between_two_waves_has_its_heading(one: Scheduled):
    house, energy = one.house, one.house.topic("energy")
    house.add_subscriber(energy, frequency=DAILY, name="ann")
    ben = house.add_subscriber(energy, frequency=DAILY, name="ben")
    one.start("2026-03-09 12:00")
    one.choose_hour(ben, "UTC", 10)
    house.release("An energy cable")
    one.work("2026-03-10 08:00")
    rail = house.topic("rail")
    with house.runtime.session() as session:
        session.add(house.subscription(ben, rail, DAILY))
        session.commit()
    house.release("A rail line")

    assert one.work("2026-03-10 10:00") == ["ben"]
    assert b"\r\nRAIL\r\n" in house.transport.sent[-1].content


def test_the_email_shows_the_date_that_it_is_for(one: Scheduled):
    house = one.house
    ben = house.add_subscriber(house.topic("energy"), frequency=DAILY, name="ben")
    one.start("2026-03-09 12:00")
    one.choose_hour(ben, "Pacific/Honolulu", 20)
    one.work("2026-03-10 06:00")
    house.release("An energy cable")

    assert one.work("2026-03-11 06:00") == ["ben"]
    assert b"Tuesday, March 10, 2026" in house.transport.sent[-1].content


def test_a_change_of_hour_after_the_email_brings_no_second_one_of_that_date(either: Scheduled):
    house = either.house
    ann = house.add_subscriber(house.topic("energy"), frequency=DAILY, name="ann")
    either.start("2026-03-09 12:00")
    first = house.release("An energy cable")
    either.work("2026-03-10 08:00")
    second = house.release("More energy")

    either.choose_hour(ann, "UTC", 12)

    assert either.work("2026-03-10 12:00") == []
    assert either.work("2026-03-11 12:00") == ["ann"]
    assert house.releases_sent(ann) == [first, second]


def test_a_wave_with_nothing_makes_no_issue_and_a_later_one_of_the_date_does(either: Scheduled):
    house = either.house
    ann = house.add_subscriber(house.topic("energy"), frequency=DAILY, name="ann")
    either.start("2026-03-09 12:00")
    assert either.work("2026-03-10 08:00") == []
    assert either.issues() == []

    house.release("An energy cable")
    assert either.work("2026-03-10 09:00") == []
    either.choose_hour(ann, "UTC", 12)

    assert either.work("2026-03-10 12:00") == ["ann"]


def test_a_killed_process_loses_and_repeats_nobody(either: Scheduled):
    house, energy = either.house, either.house.topic("energy")
    for _ in range(5):
        house.add_subscriber(energy, frequency=DAILY)
    either.start("2026-03-09 12:00")
    house.release("An energy cable")
    (wave,) = open_now(either, "2026-03-10 08:00")

    prepare_chunk(either, wave, 2)
    with house.runtime.session() as session:
        WavePreparer(house.runtime.renderer, wave, 2).step(session, house.clock())
        session.rollback()  # the process died before its commit

    assert len(either.work("2026-03-10 08:01")) == 5
    assert either.work("2026-03-10 08:02") == []


def test_two_processes_take_turns_with_one_wave(big_house: House):
    one, energy = Scheduled(big_house), big_house.topic("energy")
    for _ in range(4):
        big_house.add_subscriber(energy, frequency=DAILY)
    one.start("2026-03-09 12:00")
    big_house.release("An energy cable")
    (wave,) = open_now(one, "2026-03-10 08:00")

    with big_house.runtime.session() as session:
        WavePreparer(big_house.runtime.renderer, wave, 2).step(session, big_house.clock())
        with meanwhile(big_house, lambda: prepare_chunk(one, wave, 2)):
            session.commit()

    assert len(one.work("2026-03-10 08:00")) == 4
    assert len(big_house.recipients()) == len(set(big_house.recipients())) == 4


def test_waves_are_prepared_in_the_order_of_their_instants(either: Scheduled):
    house, energy = either.house, either.house.topic("energy")
    house.add_subscriber(energy, frequency=DAILY)
    ben = house.add_subscriber(energy, frequency=DAILY)
    either.start("2026-03-09 12:00")
    either.choose_hour(ben, "UTC", 10)
    house.release("An energy cable")
    (early,) = open_now(either, "2026-03-10 08:00")
    assert open_now(either, "2026-03-10 10:00") == [early]
    late = either.waves()[1].id

    assert not prepare_chunk(either, late)
    while prepare_chunk(either, early):
        pass

    assert prepare_chunk(either, late)


def test_a_cancelled_issue_has_no_further_waves(either: Scheduled):
    house, energy = either.house, either.house.topic("energy")
    house.add_subscriber(energy, frequency=DAILY, name="ann")
    ben = house.add_subscriber(energy, frequency=DAILY, name="ben")
    either.start("2026-03-09 12:00")
    either.choose_hour(ben, "UTC", 10)
    house.release("An energy cable")
    either.work("2026-03-10 08:00")
    with house.runtime.session() as session:
        control.cancel(session, session.query(Issue).one(), "ed", house.clock())
        session.commit()

    assert either.work("2026-03-10 10:00") == []
    assert either.work("2026-03-11 10:00") == ["ben"]


def test_a_wave_moves_no_marks_of_those_who_have_its_issue(one: Scheduled):
    house = one.house
    ann = house.add_subscriber(house.topic("energy"), frequency=DAILY)
    one.start("2026-03-09 12:00")
    house.release("An energy cable")
    one.work("2026-03-10 08:00")
    with house.runtime.session() as session:
        before = session.query(Subscription.covered_to).scalar()
    house.release("More energy")
    one.choose_hour(ann, "UTC", 12)

    one.work("2026-03-10 12:00")

    with house.runtime.session() as session:
        assert session.query(Subscription.covered_to).scalar() == before
