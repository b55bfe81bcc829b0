"""What a schedule will do: the next dates, and how far the waves of an issue are."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from scheduled import Scheduled, at

from newsletter.calendar.store import find_calendar
from newsletter.digest.schedule.outlook import coming_dates, count_asked, gathering_opens_at, waves_in_words
from newsletter.models import FIRST_NEWSLETTER, Frequency, Issue

DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


def test_the_next_dates_and_whom_they_would_reach(either: Scheduled):
    house, energy = either.house, either.house.topic("energy")
    house.add_subscriber(energy, frequency=DAILY)
    house.add_subscriber(energy, frequency=WEEKLY)
    either.start("2026-03-09 12:00")
    house.release("An energy cable")

    with house.runtime.reading() as session:
        row = find_calendar(session, FIRST_NEWSLETTER)
        found = coming_dates(session, row, house.clock(), 3, counted=True)

    assert [(each.day.day, each.frequencies, each.subscribers) for each in found] == [
        (10, (DAILY, WEEKLY), 2), (11, (DAILY,), 1), (12, (DAILY,), 1),
    ]  # fmt: skip
    assert found[0].first_at == at("2026-03-10 08:00")


def test_an_issue_between_two_waves_says_so(one: Scheduled):
    house, energy = one.house, one.house.topic("energy")
    house.add_subscriber(energy, frequency=DAILY)
    ben = house.add_subscriber(energy, frequency=DAILY)
    one.start("2026-03-09 12:00")
    one.choose_hour(ben, "UTC", 20)
    house.release("An energy cable")
    one.work("2026-03-10 08:00")

    with house.runtime.reading() as session:
        said = waves_in_words(session, session.query(Issue).one(), ZoneInfo("UTC"))
    one.work("2026-03-10 20:00")
    with house.runtime.reading() as session:
        last = waves_in_words(session, session.query(Issue).one(), ZoneInfo("UTC"))

    assert said == ["Wave 1 of 2, next at 2026-03-10 20:00 (UTC)."]
    assert last == ["Wave 2 of 2, the last one."]


def test_a_hand_made_issue_has_no_waves(one: Scheduled):
    house = one.house
    house.add_subscriber(house.topic("energy"))
    house.release("An energy cable")
    house.open()

    with house.runtime.reading() as session:
        assert waves_in_words(session, session.query(Issue).one(), ZoneInfo("UTC")) == []
        assert gathering_opens_at(session, FIRST_NEWSLETTER) is None
        assert count_asked(session, FIRST_NEWSLETTER) == 0
