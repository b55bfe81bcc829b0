"""Join the lines of a wrapped paragraph."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.ingest.press.clean import RawLine, clean
from newsletter.ingest.press.lines.line import Line, classify
from newsletter.ingest.press.unwrap import read_lines, unwrap, wrap_width

PROSE = (
    "The harbour office has put up a weather station on the roof of the old customs house, which measures "
    "the wind every ten seconds and shows it to every pilot on the way in, by day and by night, in summer."
)


@pytest.mark.parametrize("width", [50, 65, 72, 78, 100])
def test_wrapped_paragraphs_are_joined(width: int) -> None:
    other = PROSE.replace("harbour office", "pilots' union")
    text = textwrap.fill(PROSE, width) + "\n\n" + textwrap.fill(other, width)

    lines = read_lines(clean(text).lines)

    assert [line.text for line in lines] == [PROSE, other]


def test_text_with_one_line_for_each_paragraph_is_unchanged() -> None:
    text = "\n".join([PROSE, "Short one.", PROSE, "Another short one."])
    lines = [classify(line) for line in clean(text).lines]

    assert wrap_width(lines) is None
    assert unwrap(lines) == lines


def test_indented_paragraphs_without_blank_lines_are_separated() -> None:
    text = "\n".join(textwrap.fill(PROSE, 70, initial_indent="     ") for _ in range(3))

    assert [line.text for line in read_lines(clean(text).lines)] == [PROSE] * 3


def test_a_word_broken_at_its_hyphen_is_joined() -> None:
    lines = read_lines(
        [RawLine("The harbour office has opened the new north-", True), RawLine("south line this week.")]
    )

    assert [line.text for line in lines] == [
        "The harbour office has opened the new north-south line this week."
    ]


def test_japanese_lines_of_one_width_are_joined_without_a_space_and_an_indent_begins_a_paragraph() -> None:
    text = (
        "新しい灯台、来春から点灯\n2021年6月10日\n"
        " 南浜町は、岬の上に建つ灯台を来年4月に点灯すると発表した。光は海の向こうの島まで届き、一晩の電\n"
        "気は屋根の上の板がつくる。費用は町と漁協が半分ずつ出し、町民の負担は増えない。工事はこの秋に始\n"
        "まる。\n 町長は「海が近くなる」と述べた。"
    )

    lines = [line.text for line in read_lines(clean(text).lines)]

    assert len(lines) == 4
    assert "一晩の電気は屋根" in lines[2]
    assert lines[3] == "町長は「海が近くなる」と述べた。"


def test_the_second_line_of_a_list_item_belongs_to_it() -> None:
    text = (
        "The speakers are:\n\n-- Ansel Marrow, deputy head of the northern programmes, Office of\n"
        "Tides and Lights, Sea Tower\n\n-- Petra Lund, director\n\nThe talks are free."
    )

    lines = [line.text for line in read_lines(clean(text).lines)]

    assert lines[1].endswith("Office of Tides and Lights, Sea Tower")
    assert lines[2] == "-- Petra Lund, director"


@given(st.lists(st.text(max_size=90), max_size=30))
def test_unwrapping_loses_no_character_that_is_shown(texts: list[str]) -> None:
    lines = clean("\n".join(texts)).lines

    def shown(some: Sequence[Line | RawLine]) -> str:
        return "".join("".join(line.text for line in some).split())

    assert shown(read_lines(lines)) == shown(lines)


def test_the_lines_far_inside_a_long_text_are_all_text() -> None:
    contact = "Contact: Ada Finch, +44 20 7946 0123"
    texts = [f"Pier number {number} opens." for number in range(4_000)]
    texts[0] = texts[2_000] = texts[-1] = contact

    lines = read_lines(clean("\n\n".join(texts)).lines)

    assert [line.text for line in lines] == texts
    assert [at for at, line in enumerate(lines) if not line.text_only] == [0, 3_999]


def test_a_paragraph_that_opens_with_a_place_in_capitals_is_not_joined_to_the_headline() -> None:
    headline = "FOR IMMEDIATE RELEASE: Port of Halden reopens its northern quay to the ferries of"
    rest = "the islands and thanks the divers who repaired eleven broken piles within six weeks"
    lead = "(HALDEN) – The port of Halden reopened its northern quay on Tuesday, six weeks after"
    more = "the storm. The first ferry made fast at noon, and its captain thanked all the divers."

    joined = [line.text for line in read_lines(clean(f"{headline}\n{rest}\n{lead}\n{more}").lines)]

    assert joined[-1] == f"{lead} {more}"
