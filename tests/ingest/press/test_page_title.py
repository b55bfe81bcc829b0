"""The title of a page in the first line of a text: its headline, its site, and where the text begins."""

from __future__ import annotations

import pytest

from newsletter.ingest.press.clean import clean
from newsletter.ingest.press.lines.line import Line
from newsletter.ingest.press.page_title import (
    PageTitle,
    find_page_title,
    join_headline,
    site_of,
    without_menus,
)
from newsletter.ingest.press.unwrap import read_lines

HEADLINE = "Northern quay takes its first ferry"
TEXT = "The port reopened its quay on Tuesday, six weeks after the storm had broken eleven of its piles."
MENU = ["Home", "Fares", "Board and statutes", "Careers at the quay"]


def lines_of(*texts: str) -> list[Line]:
    return read_lines(clean("\n".join(texts)).lines)


@pytest.mark.parametrize(
    ("first", "site"),
    [
        (f"{HEADLINE} | News | Port of Halmar", "Port of Halmar"),
        (f"Port of Halmar - Announcements - {HEADLINE}", "Port of Halmar"),
        (f"Quayside :: {HEADLINE}", "Quayside"),
        (f"Harbour-quay-{HEADLINE}", "Harbour-quay"),
        (f"{HEADLINE}｜北浜港株式会社のプレスリリース", "北浜港株式会社"),
        (f"{HEADLINE} – Quayside | 3 December 2024, 18:47", "Quayside"),
        (f"{HEADLINE} | Presseportal", ""),
    ],
)
def test_the_headline_stands_again_below_and_the_rest_is_the_site(first: str, site: str) -> None:
    lines = lines_of(first, *MENU, HEADLINE, TEXT)

    assert find_page_title(lines) == PageTitle(HEADLINE, site, len(MENU) + 1)


def test_of_several_copies_the_headline_nearest_to_the_text_counts() -> None:
    lines = lines_of(f"{HEADLINE} - Quayside", HEADLINE, *MENU, HEADLINE, TEXT, "Share", HEADLINE)

    page = find_page_title(lines)

    assert page is not None
    assert page.at == len(MENU) + 2


def test_a_first_line_that_stands_nowhere_else_is_no_title_of_a_page() -> None:
    assert find_page_title(lines_of(f"{HEADLINE} - Quayside", *MENU, TEXT)) is None


def test_words_that_are_a_part_of_others_are_not_set_off() -> None:
    assert find_page_title(lines_of(f"{HEADLINE} from the islands", HEADLINE, TEXT)) is None


def test_the_name_of_the_site_is_no_headline() -> None:
    lines = lines_of(f"Ministry of Harbours | {HEADLINE} today", "Ministry of Harbours", TEXT)

    assert find_page_title(lines) is None


def test_a_first_line_marked_as_a_heading_is_the_headline() -> None:
    assert find_page_title(lines_of(f"# {HEADLINE}", TEXT)) == PageTitle(HEADLINE, "", 0)


def test_the_two_lines_of_a_headline_are_joined_if_the_title_of_the_page_has_both() -> None:
    lines = lines_of(f"{HEADLINE} - Quayside", *MENU, "Northern quay takes", "its first ferry", TEXT)

    assert [line.text for line in join_headline(lines)][-2:] == [HEADLINE, TEXT]
    assert join_headline(lines_of(HEADLINE, *MENU, TEXT)) == lines_of(HEADLINE, *MENU, TEXT)


@pytest.mark.parametrize(
    ("first", "site"),
    [
        ("News - Halden", "Halden"),
        ("Harbour Court of Halden - Newsroom > News Releases", "Harbour Court of Halden"),
        (HEADLINE, ""),
        (f"{HEADLINE} - and its second", ""),
    ],
)
def test_a_title_of_a_page_without_a_headline_may_name_the_site(first: str, site: str) -> None:
    assert site_of(first) == site


def test_the_menus_above_the_headline_are_left_out() -> None:
    menu = [f"Section {number} of the site" for number in "abcdefghijklmnopqrst"]
    lines = lines_of(f"{HEADLINE} - Quayside", *menu, HEADLINE, TEXT)
    page = find_page_title(lines)
    assert page is not None

    kept, at = without_menus(lines, page)

    assert kept[at].text == HEADLINE
    assert [line.text for line in kept[:at]] == menu[-10:]
