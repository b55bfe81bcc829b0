"""Issues that each subscriber gets at their chosen hour of the day."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.digest.issues import open_issue
from newsletter.digest.own_hour import next_hour
from newsletter.models import Delivery, Frequency, Issue, Subscriber
from newsletter.outbox.record import finish
from newsletter.outbox.reports.progress import progress

WEEKLY, IMMEDIATE = Frequency.WEEKLY, Frequency.IMMEDIATE
ZONES = sorted(zone for zone in available_timezones() if "/" in zone)


@given(
    st.sampled_from(ZONES),
    st.integers(0, 23),
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
)
def test_the_next_hour_is_within_a_day_whatever_the_clocks_do(zone, hour, moment):
    now = moment.replace(tzinfo=UTC)

    found = next_hour(zone, hour, now)

    there = found.astimezone(ZoneInfo(zone))
    assert now <= found <= now + timedelta(hours=24)
    # If clocks skip the hour in spring, the moment of the change is used, when a clock shows a later hour.
    is_there = (
        datetime.combine(there.date(), time(hour), there.tzinfo).astimezone(UTC).astimezone(there.tzinfo)
    )
    assert there.hour == hour or is_there.hour != hour


@pytest.mark.parametrize(
    ("now", "hour", "expected"),
    [
        ("2026-03-10T12:00", 14, "2026-03-10T12:00"),  # it is 14:00 in Vilnius
        ("2026-03-10T12:59", 14, "2026-03-10T12:59"),
        ("2026-03-10T13:00", 14, "2026-03-11T12:00"),
        ("2026-03-28T12:00", 8, "2026-03-29T05:00"),  # summer time began in between
        ("2026-03-29T00:30", 3, "2026-03-29T01:00"),  # there is no 03:00 that day
        ("2026-10-24T12:00", 8, "2026-10-25T06:00"),  # and ended
        ("2026-10-24T22:00", 3, "2026-10-25T00:00"),  # the first of two
    ],
)
def test_the_hour_is_that_of_the_subscribers_clock(now, hour, expected):
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)

    assert next_hour("Europe/Vilnius", hour, moment) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_zone_that_nobody_knows_counts_as_utc():
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)

    assert next_hour("Atlantis/Capital", 13, now) == now + timedelta(hours=1)


def subscriber(house, topic, name, zone="UTC", hour=None, frequency=WEEKLY):
    made = house.add_subscriber(topic, name=name, frequency=frequency)
    with house.runtime.session() as session:
        row = session.get_one(Subscriber, made)
        row.time_zone, row.preferred_hour = zone, hour
        session.commit()
    return made


def send(house, *frequencies, own_hour=True):
    """Open, prepare and send an issue; the clock of the house is at 12:00 UTC."""
    with house.runtime.session() as session:
        issue = open_issue(
            session, frequencies or [WEEKLY], actor="test", now=house.clock(), own_hour=own_hour
        ).id
        session.commit()
    house.prepare(issue)
    house.drain()
    return issue


def test_subscribers_get_it_at_their_hour_and_everybody_else_at_once(either_house):
    house = either_house
    energy = house.topic("energy")
    subscriber(house, energy, "any")
    subscriber(house, energy, "now", "Europe/Vilnius", 14)
    subscriber(house, energy, "evening", "Europe/Vilnius", 18)
    subscriber(house, energy, "tokyo", "Asia/Tokyo", 7)
    house.release("Energy")
    house.clock.pass_(seconds=1)

    issue = send(house)
    at_once = house.recipients()
    house.clock.pass_(hours=4)
    house.drain()
    by_evening = house.recipients()
    state = house.issue_state(issue)
    house.clock.pass_(hours=6)
    house.drain()

    assert at_once == ["any@example.org", "now@example.org"]
    assert by_evening == ["any@example.org", "evening@example.org", "now@example.org"]
    assert state == "sending"
    assert house.recipients() == sorted([*by_evening, "tokyo@example.org"])
    assert house.issue_state(issue) == "finished"


def test_without_the_option_everybody_gets_it_at_once(house):
    energy = house.topic("energy")
    subscriber(house, energy, "evening", "UTC", 18)
    house.release("Energy")
    house.clock.pass_(seconds=1)

    send(house, own_hour=False)

    assert house.recipients() == ["evening@example.org"]


def test_what_is_wanted_as_it_happens_does_not_wait(house):
    energy = house.topic("energy")
    subscriber(house, energy, "urgent", "UTC", 18, IMMEDIATE)
    subscriber(house, energy, "calm", "UTC", 18)
    house.release("Energy")
    house.clock.pass_(seconds=1)

    send(house, IMMEDIATE, WEEKLY)

    assert house.recipients() == ["urgent@example.org"]


def test_progress_says_how_many_wait_for_their_hour_and_for_how_long(house):
    energy = house.topic("energy")
    subscriber(house, energy, "any")
    subscriber(house, energy, "evening", "UTC", 18)
    subscriber(house, energy, "night", "UTC", 23)
    house.release("Energy")
    house.clock.pass_(seconds=1)

    issue = send(house)

    with house.runtime.session() as session:
        found = progress(session, issue, house.clock())
        still = finish(session, house.clock())
    assert (found.settled, found.waiting, found.later) == (1, 2, 2)
    assert found.last_hour_at == house.clock().replace(hour=23, minute=0, second=0)
    assert found.eta_seconds == (found.last_hour_at - house.clock()).total_seconds()
    assert still == []


def test_an_issue_knows_that_it_keeps_to_the_hours(house):
    energy = house.topic("energy")
    subscriber(house, energy, "any")
    house.release("Energy")
    house.clock.pass_(seconds=1)

    issue = send(house)

    (found,) = (each for each in house.all(Issue) if each.id == issue)
    assert found.own_hour
    assert len(house.all(Delivery)) == 1
