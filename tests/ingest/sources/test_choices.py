"""Tests of the backlog that an editor chooses."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from ingest.sources.samples import make_sample

from newsletter.errors import InputError
from newsletter.ingest.sources.choices import check_backlog, kept_back

TODAY = date(2026, 3, 10)
ITEMS = [make_sample(f"n{age}", published=TODAY - timedelta(days=age)) for age in (0, 1, 7, 8, 30)]


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        ("none", [True] * 5),
        ("all", [False] * 5),
        ("2", [False, False, True, True, True]),
        ("9", [False] * 5),
        ("7d", [False, False, False, True, True]),
    ],
)
def test_old_items_are_kept_back_by_choice(choice: str, kept: list[bool]):
    assert kept_back(choice, ITEMS, TODAY) == kept
    assert kept_back(choice, ITEMS[::-1], TODAY) == kept[::-1]


def test_the_time_of_day_orders_items_of_one_day_and_else_the_feed_does():
    eight, twenty = (datetime.fromisoformat(f"2026-03-10T{hour}:00:00+00:00") for hour in ("08", "20"))
    morning = make_sample("a", published=TODAY, published_at=eight)
    evening = make_sample("b", published=TODAY, published_at=twenty)
    undated = [make_sample("c"), make_sample("d")]

    assert kept_back("1", [morning, evening], TODAY) == [True, False]
    assert kept_back("1", undated, TODAY) == [False, True]
    assert kept_back("1d", undated, TODAY) == [False, False]


def test_a_choice_is_checked():
    assert check_backlog(" 7D ") == "7d"
    for wrong in ("", "some", "0", "-1", "7w", "99999"):
        with pytest.raises(InputError):
            check_backlog(wrong)
