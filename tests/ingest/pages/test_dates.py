"""Tests of deciding the date of a page."""

from __future__ import annotations

from datetime import UTC, date, datetime

from newsletter.ingest.feeds.dates import Dated
from newsletter.ingest.pages.dates import choose, declared_date, seen_days, time_elements
from newsletter.ingest.pages.tree import parse_tree

DAY = date(2026, 3, 3)
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def test_a_declared_time_counts_only_with_its_zone():
    assert declared_date(["2026-03-03T14:00:00+02:00"]) == Dated(DAY, NOON)
    assert declared_date(["2026-03-03T14:00:00"]) == Dated(DAY, None)
    assert declared_date(["Tue, 03 Mar 2026 12:00:00 GMT"]) == Dated(DAY, NOON)


def test_other_forms_of_a_date_are_read():
    assert declared_date(["", "soon", "3. März 2026"]) == Dated(DAY, None)
    assert declared_date(["2026-03-03 00:00:00.0 published"]) == Dated(DAY, None)
    assert declared_date(["soon"]) is None


def test_time_elements_give_their_attribute_or_text():
    root = parse_tree(
        b'<time datetime="2026-03-03T12:00Z">x</time><time>4 March 2026</time><time>x</time>', "", "x"
    )

    assert time_elements(root) == [Dated(DAY, NOON), Dated(date(2026, 3, 4), None)]


def test_only_short_lines_show_the_day():
    lines = ["Published: 3 March 2026", "The quay opens on 4 April 2026. " * 5, "5 March"]

    assert seen_days(lines, date(2026, 3, 6)) == [DAY, date(2026, 3, 5)]


def test_the_day_that_people_see_counts_and_the_declared_moment_stays():
    late = Dated(DAY, datetime(2026, 3, 3, 23, tzinfo=UTC))

    assert choose(late, [], [date(2026, 3, 4)], None) == Dated(date(2026, 3, 4), late.moment)


def test_a_page_that_moved_to_another_system_keeps_its_first_date():
    assert choose(Dated(date(2026, 9, 1), NOON), [], [DAY], DAY) == Dated(DAY, None)


def test_without_a_declared_date_the_visible_one_counts():
    assert choose(None, [Dated(DAY, NOON)], [], None) == Dated(DAY, NOON)
    assert choose(None, [], [], DAY) == Dated(DAY, None)
    assert choose(None, [], [], None) is None


def test_of_two_visible_days_that_of_the_first_time_element_counts():
    time = Dated(date(2025, 3, 5), None)

    assert choose(None, [time], [date(2026, 8, 11), date(2025, 3, 5)], None) == time


def test_a_date_far_from_the_declared_one_is_that_of_an_event():
    assert choose(Dated(DAY, None), [], [date(2026, 5, 1)], None) == Dated(DAY, None)
