"""Rules in English words."""

from __future__ import annotations

from datetime import date

import pytest

from newsletter.calendar.rules import Rules
from newsletter.calendar.words import gathering_in_words, holidays_in_words, rule_in_words
from newsletter.models import Frequency

DAILY, WEEKLY, MONTHLY = Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY


@pytest.mark.parametrize(
    ("rules", "frequency", "words"),
    [
        (Rules(), DAILY, "Monday to Friday at 8"),
        (Rules(daily=frozenset(range(7))), DAILY, "Every day at 8"),
        (Rules(daily=frozenset({0, 2, 5})), DAILY, "Mondays, Wednesdays and Saturdays at 8"),
        (Rules(weekly=frozenset({1, 4})), WEEKLY, "Tuesdays and Fridays at 8"),
        (
            Rules(weekly_every=2, weekly_from=date(2026, 3, 2)),
            WEEKLY,
            "Tuesday of every second week at 8, counted from the week of 2026-03-02",
        ),
        (Rules(), MONTHLY, "The 1st of each month at 8"),
        (Rules(monthly_day=12), MONTHLY, "The 12th of each month at 8"),
        (
            Rules(monthly_day=30),
            MONTHLY,
            "The 30th of each month, or the last day of a shorter month, at 8",
        ),
        (Rules(monthly_day=31), MONTHLY, "The last day of each month at 8"),
    ],
)
def test_a_rule_in_words(rules: Rules, frequency: Frequency, words: str):
    assert rule_in_words(rules, frequency, 8) == words


def test_holidays_in_words():
    assert holidays_in_words(Rules()) == ""
    assert "holidays of DE-BY" in holidays_in_words(Rules(holidays="DE-BY"))


@pytest.mark.parametrize(
    ("minutes", "releases", "words"),
    [
        (1, None, "1 minute after the first release"),
        (30, None, "30 minutes after the first release"),
        (120, 5, "2 hours after the first release, or once 5 releases wait"),
        (0, 5, "As soon as a release is ready"),
    ],
)
def test_the_gathering_delay_in_words(minutes: int, releases: int | None, words: str):
    assert gathering_in_words(minutes, releases) == words
