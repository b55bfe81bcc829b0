"""The part of a whole page that holds the release: menus above and below are left out."""

from __future__ import annotations

from collections.abc import Sequence

from newsletter.ingest.press.clean import RawLine, clean
from newsletter.ingest.press.main_text import MainText, find_main_text

HEADLINE = "Northern quay takes its first ferry"
LEAD = "The port reopened its quay on Tuesday, six weeks after the storm had broken eleven of its piles."
MORE = "The islands' ferry made fast at noon, and the harbour master thanked the divers for their work."
TEXT = [LEAD, MORE, LEAD.replace("Tuesday", "Wednesday")]
MENU = [f"* Section {name}" for name in "abcdefghijklmnopqrstuvwxyzåäö"]
PLAIN_MENU = [f"Section {name}" for name in "abcdefghijklmnopqrstuvwxyzåäö"]


def read(*texts: str) -> MainText:
    return find_main_text(clean("\n".join(texts)).lines)


def texts(lines: Sequence[RawLine]) -> list[str]:
    return [line.text for line in lines]


def test_a_text_without_long_menus_stays_whole() -> None:
    raw = clean("\n".join([*MENU[:9], HEADLINE, *TEXT, *MENU[:9]])).lines

    found = find_main_text(raw)

    assert list(found.lines) == raw
    assert not found.above
    assert not found.others


def test_menus_above_and_below_the_text_are_left_out() -> None:
    found = read("Port of Halmar", *MENU, HEADLINE, "3 June 2025", *TEXT, *MENU)

    assert texts(found.above) == ["Port of Halmar", HEADLINE, "3 June 2025"]
    assert texts(found.lines) == TEXT


def test_lines_right_below_the_text_are_kept() -> None:
    found = read(HEADLINE, *TEXT, "Halmar, 3 June 2025", *PLAIN_MENU, *PLAIN_MENU)

    assert texts(found.lines)[:5] == [HEADLINE, *TEXT, "Halmar, 3 June 2025"]
    assert len(found.lines) < 20


def test_a_list_that_the_last_sentence_leads_to_belongs_to_the_text() -> None:
    leads = "These three ferries will make fast at the northern quay from the second week of the summer on:"

    found = read(HEADLINE, *TEXT, leads, "* Ada Holm", "* Brine", "* Corvane", *PLAIN_MENU, *PLAIN_MENU)

    assert "* Corvane" in texts(found.lines)


def test_the_first_and_last_lines_of_the_page_may_name_the_publisher() -> None:
    rights = "© 2025 Halmar Port Authority"

    found = read("Skip", "Port of Halmar", *MENU, HEADLINE, *TEXT, *MENU, *MENU, rights)

    assert "Port of Halmar" in texts(found.others)
    assert rights in texts(found.others)


def test_a_notice_above_the_menu_is_no_text() -> None:
    notice = "Sign in below and you will see the timetables that you have chosen for your own islands."

    found = read(*MENU, notice, *MENU[:4], HEADLINE, *TEXT, *MENU)

    assert texts(found.lines) == TEXT


def test_the_text_below_the_headline_of_the_page_counts_although_another_is_longer() -> None:
    other = [MORE.replace("noon", f"{hour} o'clock") for hour in ("one", "two", "three", "four", "five")]
    below = [*PLAIN_MENU, *PLAIN_MENU, *other]

    found = read(f"{HEADLINE} | Port of Halmar", *PLAIN_MENU, HEADLINE, *TEXT, *below)

    assert texts(found.lines)[:3] == TEXT
    assert other[0] not in texts(found.lines)


def test_a_table_of_short_rows_does_not_end_the_text() -> None:
    rows = [f"Berth {number}" for number in range(12)]

    found = read(*MENU, HEADLINE, *TEXT, *rows, *rows, *TEXT, *MENU)

    assert texts(found.lines) == [*TEXT, *rows, *rows, *TEXT]


def test_an_empty_text_and_one_without_sentences_are_not_changed() -> None:
    assert find_main_text([]) == MainText([])
    assert texts(read(*PLAIN_MENU).lines) == PLAIN_MENU
