"""Calendars are stored and read, and the hours that subscribers chose are found."""

from __future__ import annotations

from datetime import date

from house import House

from newsletter.calendar.plan import USUAL_LATE, Late, LateRule
from newsletter.calendar.rules import Rules
from newsletter.calendar.store import (
    calendars_on,
    find_calendar,
    hours_in_use,
    late_of,
    load_calendar,
    rules_of,
    set_rules,
    start,
    usual_calendar,
    write_late,
)
from newsletter.models import FIRST_NEWSLETTER, Frequency, Subscriber
from newsletter.models.tables.schedule import DueAgain, KeptInstant


def test_a_calendar_is_stored_and_read(either_house: House):
    rules = Rules(frozenset({0, 6}), frozenset({2}), 2, date(2026, 3, 4), 31, "DE-BY")
    late = {**USUAL_LATE, Frequency.DAILY: LateRule(9, Late.ASK)}
    with either_house.runtime.session() as session:
        row = usual_calendar(FIRST_NEWSLETTER, "Europe/Berlin")
        set_rules(row, rules)
        row.late = write_late(late)
        session.add(row)
        session.add(KeptInstant(newsletter_id=1, slot=date(2026, 3, 4), instant=either_house.clock()))
        for zone, hour in (("", -1), ("UTC", 5)):
            session.add(
                DueAgain(
                    newsletter_id=1,
                    slot=date(2026, 3, 5),
                    frequency=Frequency.WEEKLY,
                    time_zone=zone,
                    hour=hour,
                )
            )
        session.commit()

    with either_house.runtime.reading() as session:
        row = find_calendar(session, FIRST_NEWSLETTER)
        calendar = load_calendar(session, row)

    assert (rules_of(row), late_of(row)) == (rules, late)
    assert calendar.kept == {date(2026, 3, 4): either_house.clock()}
    assert set(calendar.again) == {
        (date(2026, 3, 5), Frequency.WEEKLY, None), (date(2026, 3, 5), Frequency.WEEKLY, ("UTC", 5)),
    }  # fmt: skip


def test_hours_in_use_are_found_once_each(either_house: House):
    chosen = [("UTC", 8), ("Europe/Berlin", 8), ("UTC", 8), ("Europe/Berlin", None), ("Europe/Berlin", 20)]
    for zone, hour in chosen:
        person = either_house.add_subscriber()
        with either_house.runtime.session() as session:
            row = session.get_one(Subscriber, person)
            row.time_zone, row.preferred_hour = zone, hour
            session.commit()

    with either_house.runtime.reading() as session:
        assert hours_in_use(session) == [None, ("Europe/Berlin", 8), ("Europe/Berlin", 20), ("UTC", 8)]


def test_a_calendar_is_off_until_it_is_started(house: House):
    with house.runtime.session() as session:
        row = usual_calendar(FIRST_NEWSLETTER, "UTC")
        session.add(row)
        session.flush()
        assert calendars_on(session) == []
        start(session, row, house.clock())
        session.flush()

        assert calendars_on(session) == [FIRST_NEWSLETTER]
