"""The clock opens each wave once, in order, and knows what becomes of late ones."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from scheduled import Scheduled, at

from newsletter.calendar.plan import Late, LateRule
from newsletter.calendar.store import find_calendar, write_late
from newsletter.digest.schedule.clock import answer_late, due_calendars, open_waves
from newsletter.errors import StateConflict
from newsletter.models import FIRST_NEWSLETTER, Frequency, Issue, Notice, PersonalInstant
from newsletter.outbox import control

DAILY, WEEKLY, MONTHLY = Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY


def late(**rules: LateRule) -> dict:
    usual = {
        "daily": LateRule(6, Late.SKIP),
        "weekly": LateRule(24, Late.SEND),
        "monthly": LateRule(48, Late.SEND),
    }
    return write_late({Frequency(name): rule for name, rule in (usual | rules).items()})


def notices(one: Scheduled) -> list[str]:
    with one.house.runtime.session() as session:
        return [each.kind for each in session.query(Notice).order_by(Notice.id) if each.settled_at is None]


def test_an_issue_goes_out_by_itself_on_its_date_and_hour(either: Scheduled):
    house = either.house
    house.add_subscriber(house.topic("energy"), frequency=DAILY, name="ann")
    either.start("2026-03-09 12:00")
    house.release("An energy cable")

    assert either.work("2026-03-10 07:59") == []
    assert either.work("2026-03-10 08:00") == ["ann"]
    assert either.work("2026-03-10 08:01") == []
    assert either.work("2026-03-11 08:00") == []
    assert either.issues() == [(date(2026, 3, 10), "finished")]


def test_nothing_goes_out_while_the_schedule_is_off(one: Scheduled):
    house = one.house
    house.add_subscriber(house.topic("energy"), frequency=DAILY)
    house.release("An energy cable")

    assert one.work("2026-03-10 08:00") == []
    assert one.issues() == []


def test_a_date_serves_every_frequency_that_is_due_with_one_issue(either: Scheduled):
    house, energy = either.house, either.house.topic("energy")
    for frequency, name in ((DAILY, "day"), (WEEKLY, "week"), (MONTHLY, "month")):
        house.add_subscriber(energy, frequency=frequency, name=name)
    either.start("2026-03-09 12:00")
    house.release("An energy cable")

    assert either.work("2026-03-10 08:00") == ["day", "week"]
    assert either.work("2026-03-15 08:00") == ["month"]
    assert [slot for slot, _ in either.issues()] == [date(2026, 3, 10), date(2026, 3, 15)]


def test_two_hosts_open_a_wave_once(either: Scheduled):
    house = either.house
    house.add_subscriber(house.topic("energy"), frequency=DAILY)
    either.start("2026-03-09 12:00")
    house.release("An energy cable")
    house.clock.moment = at("2026-03-10 08:00")

    for _ in range(2):
        with house.runtime.session() as session:
            find_calendar(session, FIRST_NEWSLETTER).next_at = None
            session.flush()
            open_waves(session, FIRST_NEWSLETTER, house.clock())
            session.commit()

    assert len(either.waves()) == 1


def test_a_clock_that_is_behind_opens_nothing_again(one: Scheduled):
    one.start("2026-03-09 12:00")
    one.work("2026-03-10 08:00")

    with one.house.runtime.session() as session:
        find_calendar(session, FIRST_NEWSLETTER).next_at = None
        session.flush()

        assert open_waves(session, FIRST_NEWSLETTER, at("2026-03-10 07:00")) == 0
        assert find_calendar(session, FIRST_NEWSLETTER).opened_to == at("2026-03-10 08:00")


def test_the_clock_looks_again_only_at_the_next_instant(one: Scheduled):
    one.start("2026-03-09 12:00")
    one.work("2026-03-09 12:00")

    with one.house.runtime.session() as session:
        assert due_calendars(session, at("2026-03-10 07:59")) == []
        assert due_calendars(session, at("2026-03-10 08:00")) == [FIRST_NEWSLETTER]


def test_a_daily_date_that_is_too_late_is_skipped_and_nothing_is_served(either: Scheduled):
    house = either.house
    house.add_subscriber(house.topic("energy"), frequency=DAILY, name="ann")
    either.start("2026-03-09 12:00")
    house.release("An energy cable")

    assert either.work("2026-03-10 14:01") == []
    assert notices(either) == ["schedule_skipped"]
    assert either.work("2026-03-11 08:00") == ["ann"]


def test_a_weekly_date_that_was_skipped_is_due_again_on_the_next_day(either: Scheduled):
    house = either.house
    house.add_subscriber(house.topic("energy"), frequency=WEEKLY, name="ann")
    either.start("2026-03-09 12:00", late=late(weekly=LateRule(24, Late.SKIP)))
    house.release("An energy cable")

    assert either.work("2026-03-11 09:00") == ["ann"]  # an hour late, of the date after


def test_several_missed_dates_become_one_email_of_the_last_date(either: Scheduled):
    house = either.house
    house.add_subscriber(house.topic("energy"), frequency=DAILY, name="ann")
    either.start("2026-03-09 12:00", late=late(daily=LateRule(6, Late.SEND)))
    house.release("An energy cable")

    assert either.work("2026-03-13 20:00") == ["ann"]
    assert either.issues() == [(date(2026, 3, 13), "finished")]


@pytest.mark.parametrize("send", [True, False])
def test_a_late_date_can_wait_for_a_person(either: Scheduled, send: bool):
    house = either.house
    house.add_subscriber(house.topic("energy"), frequency=WEEKLY, name="ann")
    either.start("2026-03-09 12:00", late=late(weekly=LateRule(24, Late.ASK)))
    house.release("An energy cable")
    assert either.work("2026-03-11 09:00") == []
    assert notices(either) == ["schedule_asks"]

    with house.runtime.session() as session:
        answer_late(session, FIRST_NEWSLETTER, send=send, actor="ed", now=house.clock())
        session.commit()

    assert either.work("2026-03-11 09:01") == (["ann"] if send else [])
    assert either.work("2026-03-12 08:00") == ([] if send else ["ann"])
    assert notices(either) == []


def test_what_waits_for_an_answer_comes_with_the_next_date_of_its_frequency(one: Scheduled):
    house = one.house
    house.add_subscriber(house.topic("energy"), frequency=DAILY, name="ann")
    one.start("2026-03-09 12:00", late=late(daily=LateRule(6, Late.ASK)))
    house.release("An energy cable")
    one.work("2026-03-10 20:00")

    assert one.work("2026-03-11 08:00") == ["ann"]
    with house.runtime.session() as session, pytest.raises(StateConflict):
        answer_late(session, FIRST_NEWSLETTER, send=True, actor="ed", now=house.clock())
    assert one.work("2026-03-11 08:01") == []


def test_a_paused_issue_prepares_no_wave_and_is_not_late_after_that(either: Scheduled):
    house, energy = either.house, either.house.topic("energy")
    house.add_subscriber(energy, frequency=DAILY, name="ann")
    ben = house.add_subscriber(energy, frequency=DAILY, name="ben")
    either.start("2026-03-09 12:00")
    either.choose_hour(ben, "UTC", 10)
    house.release("An energy cable")
    assert either.work("2026-03-10 08:00") == ["ann"]
    with house.runtime.session() as session:
        control.pause(session, session.query(Issue).one(), "ed", house.clock())
        session.commit()

    assert either.work("2026-03-10 10:00") == []
    with house.runtime.session() as session:
        control.resume(session, session.query(Issue).one(), "ed", house.clock())
        session.commit()
    assert either.work("2026-03-10 23:00") == ["ben"]


def test_an_issue_finishes_after_the_last_instant_of_its_date(either: Scheduled):
    house, energy = either.house, either.house.topic("energy")
    house.add_subscriber(energy, frequency=DAILY, name="ann")
    ben = house.add_subscriber(energy, frequency=DAILY, name="ben")
    either.start("2026-03-09 12:00")
    either.choose_hour(ben, "America/New_York", 20)
    house.release("An energy cable")

    either.work("2026-03-10 08:00")
    assert either.issues() == [(date(2026, 3, 10), "sending")]
    assert either.work("2026-03-11 00:00") == ["ben"]  # still the 10th in New York
    assert either.issues() == [(date(2026, 3, 10), "finished")]


def test_waves_of_a_long_outage_are_passed_over(one: Scheduled):
    one.start("2026-01-01 12:00", late=late(daily=LateRule(6, Late.SEND)))
    one.work("2026-01-01 12:00")

    one.work("2027-01-01 12:00")

    assert len(one.waves()) == 3  # the last date of each frequency


def test_exceptions_of_dates_long_past_are_deleted(one: Scheduled):
    house = one.house
    person = house.add_subscriber(house.topic("energy"), frequency=DAILY)
    one.start("2026-03-10 06:00")
    one.choose_hour(person, "UTC", 10)
    house.clock.moment = at("2026-03-10 07:00")
    one.choose_hour(person, "UTC", 6)
    assert house.all(PersonalInstant)
    for days in (30, 60):
        one.work((at("2026-03-10 10:00") + timedelta(days=days)).strftime("%Y-%m-%d %H:%M"))
    assert house.all(PersonalInstant) == []
