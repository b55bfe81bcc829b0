"""Find the lines of a contact block, and of a list of coming events."""

from __future__ import annotations

from newsletter.ingest.press.clean import clean
from newsletter.ingest.press.lines.contacts import contact_lines, event_lines
from newsletter.ingest.press.lines.line import Line
from newsletter.ingest.press.unwrap import read_lines


def lines_of(text: str) -> list[Line]:
    return read_lines(clean(text).lines)


def test_a_contact_block_ends_with_its_last_number() -> None:
    lines = lines_of(
        "Media Contact:\nJane Dunmore\nPhone: +999 555 0122\n\nDentists to visit every school\nText"
    )

    assert contact_lines(lines) == {0, 1, 2}


def test_a_block_that_ends_with_a_number_needs_no_heading() -> None:
    lines = lines_of(
        "Tide tables for all\n\nJane Dunmore\nHead Office, Lund\n555-010-0144\n\nTIDE TABLES FOR ALL\n\nText"
    )

    assert contact_lines(lines) == {1, 2, 3}


def test_the_first_line_is_no_contact_because_a_number_follows() -> None:
    assert contact_lines(lines_of("Tide tables for all\n555-010-0144\n\nText")) == {1}


def test_two_items_with_dates_are_a_list_of_events_with_its_heading() -> None:
    lines = lines_of(
        "Coming events\n- 2025-02-11 The minister meets pilots\n- 2025-02-12 The fair opens\nNew pier opens"
    )

    assert event_lines(lines) == {0, 1, 2}
    assert event_lines(lines[2:]) == set()
