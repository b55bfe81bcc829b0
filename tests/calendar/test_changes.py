"""A change of hour, zone or calendar moves a date's email, and never loses or repeats it."""

from __future__ import annotations

from datetime import date

import pytest
from house import House, meanwhile, unsubscribe_from_topic
from scheduled import Scheduled, at

from newsletter.calendar.rules import Rules
from newsletter.digest.schedule.approval import approve
from newsletter.digest.schedule.clock import open_waves
from newsletter.digest.schedule.prepare import WavePreparer, waves_to_prepare
from newsletter.models import FIRST_NEWSLETTER, Frequency, PersonalInstant, current_sequence

DAILY = Frequency.DAILY


@pytest.fixture
def either(either_house: House) -> Scheduled:
    return Scheduled(either_house)


def begin(either: Scheduled) -> int:
    house = either.house
    ann = house.add_subscriber(house.topic("energy"), frequency=DAILY, name="ann")
    either.start("2026-03-09 12:00")
    house.release("An energy cable")
    return ann


def test_if_the_new_hour_has_passed_the_old_one_holds_for_that_date(either: Scheduled):
    ann = begin(either)
    either.choose_hour(ann, "UTC", 18)
    either.work("2026-03-09 18:00")
    either.house.release("More energy")
    either.work("2026-03-10 09:00")

    either.choose_hour(ann, "UTC", 7)

    assert either.work("2026-03-10 17:59") == []
    assert either.work("2026-03-10 18:00") == ["ann"]
    either.house.release("Energy again")
    assert either.work("2026-03-11 07:00") == ["ann"]


def test_if_the_new_hour_is_still_to_come_it_brings_the_email(either: Scheduled):
    ann = begin(either)

    either.choose_hour(ann, "UTC", 12)

    assert either.work("2026-03-10 08:00") == []
    assert either.work("2026-03-10 12:00") == ["ann"]


def test_a_change_back_leaves_nothing_behind(either: Scheduled):
    ann = begin(either)
    either.work("2026-03-10 07:00")
    either.choose_hour(ann, "UTC", 6)  # 8 holds for today
    assert either.house.all(PersonalInstant)

    either.choose_hour(ann, "UTC", 10)

    assert either.house.all(PersonalInstant) == []
    assert either.work("2026-03-10 08:00") == []
    assert either.work("2026-03-10 10:00") == ["ann"]


def test_an_hour_that_has_passed_is_not_a_missed_one_for_who_chooses_it(either: Scheduled):
    begin(either)
    ben = either.house.add_subscriber(either.house.topic("ports"), frequency=DAILY, name="ben")
    assert either.work("2026-03-10 08:00") == ["ann"]
    either.house.release("A ports crane")
    either.house.clock.moment = at("2026-03-10 12:00")

    either.choose_hour(ben, "UTC", 10)

    assert either.work("2026-03-10 12:00") == []
    assert either.work("2026-03-11 09:59") == []
    assert either.work("2026-03-11 10:00") == ["ben"]


def test_an_hour_that_has_passed_is_not_a_missed_one_for_the_newsletter(either: Scheduled):
    begin(either)
    either.house.add_subscriber(either.house.topic("ports"), frequency=DAILY, name="ben")
    assert either.work("2026-03-10 08:00") == ["ann"]
    either.house.release("A ports crane")
    either.house.clock.moment = at("2026-03-10 12:00")

    either.change(hour=10)

    assert either.work("2026-03-10 12:00") == []
    assert either.work("2026-03-11 10:00") == ["ben"]


def test_who_changes_the_hour_and_then_joins_gets_the_issue_at_that_hour(either: Scheduled):
    house = either.house
    begin(either)
    ports, rail = house.topic("ports"), house.topic("rail")
    ben = house.add_subscriber(rail, frequency=DAILY, name="ben")
    assert either.work("2026-03-10 08:00") == ["ann"]
    house.clock.moment = at("2026-03-10 09:00")
    unsubscribe_from_topic(house, ben, rail)
    either.choose_hour(ben, "UTC", 12)

    with house.runtime.session() as session:
        session.add(house.subscription(ben, ports, DAILY, current_sequence(session)))
        session.commit()
    house.release("A ports crane")

    assert either.work("2026-03-10 11:59") == []
    assert either.work("2026-03-10 12:00") == ["ben"]


def test_the_newsletters_new_hour_leaves_the_old_one_for_today(either: Scheduled):
    begin(either)
    either.work("2026-03-10 07:00")

    either.change(hour=6)

    assert either.work("2026-03-10 08:00") == ["ann"]
    either.house.release("More energy")
    assert either.work("2026-03-11 06:00") == ["ann"]


def test_the_newsletters_new_zone_moves_the_date(either: Scheduled):
    begin(either)
    either.work("2026-03-10 07:00")

    either.change(time_zone="America/New_York")

    assert either.work("2026-03-10 08:00") == []
    assert either.work("2026-03-10 12:00") == ["ann"]


def test_without_a_schedule_a_change_stores_nothing(either: Scheduled):
    ann = either.house.add_subscriber(either.house.topic("energy"), frequency=DAILY)

    either.choose_hour(ann, "UTC", 7)

    assert either.house.all(PersonalInstant) == []


def test_a_change_in_the_middle_of_a_wave_keeps_its_instant(either: Scheduled):
    house = either.house
    energy = house.topic("energy")
    house.add_subscriber(energy, frequency=DAILY, name="ann")
    ben = house.add_subscriber(energy, frequency=DAILY, name="ben")
    either.start("2026-03-09 12:00")
    house.release("An energy cable")
    house.clock.moment = at("2026-03-10 08:00")
    with house.runtime.session() as session:
        open_waves(session, FIRST_NEWSLETTER, house.clock())
        session.commit()
        (wave,) = waves_to_prepare(session)
        WavePreparer(house.runtime.renderer, wave, 1).step(session, house.clock())
        session.commit()

    either.choose_hour(ben, "UTC", 7)

    assert either.work("2026-03-10 08:01") == ["ann", "ben"]


def test_who_waits_for_an_approval_gets_the_date_after_changes_of_both_hours(either: Scheduled):
    ann = begin_weekly_with_approvals(either)
    assert either.work("2026-03-10 09:00") == []

    either.change(hour=6)
    either.choose_hour(ann, "UTC", 5)

    approve_the_tenth(either)
    assert either.work("2026-03-10 09:30") == ["ann"]


def test_who_waits_for_an_approval_for_days_gets_the_date_after_a_change(either: Scheduled):
    ann = begin_weekly_with_approvals(either)
    assert either.work("2026-03-10 09:00") == []
    assert either.work("2026-03-14 09:00") == []

    either.change(hour=6)
    either.choose_hour(ann, "UTC", 5)
    either.choose_hour(ann, "UTC", 4)

    approve_the_tenth(either)
    assert either.work("2026-03-14 09:30") == ["ann"]


def begin_weekly_with_approvals(either: Scheduled) -> int:
    ann = either.house.add_subscriber(either.house.topic("energy"), name="ann")
    either.start("2026-03-09 12:00", Rules(frozenset(), frozenset({1})), approval_hours=12)
    either.house.release("An energy cable")
    return ann


def approve_the_tenth(either: Scheduled) -> None:
    now = either.house.clock()
    with either.house.runtime.session() as session:
        seen = current_sequence(session)
        approve(session, FIRST_NEWSLETTER, date(2026, 3, 10), seen, now, actor="editor", now=now)
        session.commit()


def test_a_change_waits_for_the_clock_that_opens_waves(big_house: House):
    either = Scheduled(big_house)
    ann = begin(either)
    big_house.clock.moment = at("2026-03-10 07:59")

    with big_house.runtime.session() as session:
        open_waves(session, FIRST_NEWSLETTER, at("2026-03-10 08:00"))
        with meanwhile(big_house, lambda: either.choose_hour(ann, "UTC", 7)):
            session.commit()

    # The wave at 8 was opened first, and holds for the date.
    assert either.work("2026-03-10 08:01") == ["ann"]
    big_house.release("More energy")
    assert either.work("2026-03-11 07:00") == ["ann"]
