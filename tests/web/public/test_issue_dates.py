"""The sign-up and preferences pages say when issues come: the rule in words, and the next date."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from newsletter.calendar.rules import Rules
from newsletter.calendar.store import set_rules, start, usual_calendar
from newsletter.models import FIRST_NEWSLETTER, Subscriber

RULES = Rules(weekly=frozenset({1, 4}), monthly_day=15)


def turn_on(house, rules: Rules = RULES) -> None:
    """Start the schedule at 8 in Vilnius, on Thursday, 3 December 2026."""
    house.clock.moment = datetime(2026, 12, 3, 12, tzinfo=UTC)
    with house.runtime.session() as session:
        row = usual_calendar(FIRST_NEWSLETTER, "Europe/Vilnius")
        row.hour = 8
        set_rules(row, rules)
        session.add(row)
        start(session, row, house.clock())
        session.commit()


def plain(text: str) -> str:
    """Return a page with ordinary spaces."""
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def test_without_a_schedule_nothing_is_promised(visitor):
    assert "When issues come" not in visitor.get("/").text


def test_the_sign_up_page_has_the_rules_and_the_next_dates(house, visitor):
    turn_on(house)

    text = plain(visitor.get("/").text)

    assert "When issues come" in text
    assert "Monday to Friday, 8:00 AM" in text
    assert "Tuesday and Friday, 8:00 AM" in text
    assert "On day 15 of the month, 8:00 AM" in text
    assert "Next: Fri, Dec 4, 2026, 8:00 AM" in text
    assert "Times are in this time zone: Lithuania" in text


@pytest.mark.parametrize(
    ("language", "rule"),
    [
        ("de", "Dienstag und Freitag, 08:00"),
        ("es", "Martes y viernes, 8:00"),
        ("fr", "Mardi et vendredi, 08:00"),
        ("ja", "火曜日、金曜日, 8:00"),
        ("lt", "Antradienis ir penktadienis, 08:00"),
    ],
)
def test_the_rule_is_in_the_language_of_the_page(house, visitor, language: str, rule: str):
    turn_on(house)

    text = plain(visitor.get("/", headers={"Accept-Language": language}).text)

    assert rule in text
    assert "every second week" not in text


def test_every_second_week_and_the_last_day_are_named(house, visitor):
    turn_on(house, Rules(daily=frozenset(range(7)), weekly_every=2, monthly_day=31))

    text = plain(visitor.get("/").text)

    assert "Every day, 8:00 AM" in text
    assert "Tuesday, every second week, 8:00 AM" in text
    assert "On the last day of the month, 8:00 AM" in text


def test_the_preferences_page_counts_in_the_subscribers_own_hour_and_zone(house, visitor):
    visitor.join()
    turn_on(house)
    with house.runtime.session() as session:
        person = session.query(Subscriber).one()
        person.time_zone, person.preferred_hour = "Asia/Tokyo", 19
        session.commit()

    text = plain(visitor.get(visitor.preferences_path()).text)

    assert "Tuesday and Friday, 7:00 PM" in text
    assert "Next: Fri, Dec 4, 2026, 7:00 PM" in text
    assert "Times are in this time zone: Japan" in text
