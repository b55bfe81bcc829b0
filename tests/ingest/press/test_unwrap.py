"""Join the lines of a wrapped paragraph."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.ingest.press.clean import Line, clean_lines
from newsletter.ingest.press.lines.labels import stands_alone
from newsletter.ingest.press.unwrap import unwrap, wrap_width

PROSE = (
    "The harbour office has put up a weather station on the roof of the old customs house, which measures "
    "the wind every ten seconds and shows it to every pilot on the way in, by day and by night, in summer."
)


@pytest.mark.parametrize("width", [50, 65, 72, 78, 100])
def test_wrapped_paragraphs_are_joined(width: int) -> None:
    other = PROSE.replace("harbour office", "pilots' union")
    text = textwrap.fill(PROSE, width) + "\n\n" + textwrap.fill(other, width)

    lines = unwrap(clean_lines(text), stands_alone)

    assert [line.text for line in lines] == [PROSE, other]


def test_text_with_one_line_for_each_paragraph_is_unchanged() -> None:
    lines = clean_lines("\n".join([PROSE, "Short one.", PROSE, "Another short one."]))

    assert wrap_width(lines) is None
    assert unwrap(lines, stands_alone) == lines


def test_indented_paragraphs_without_blank_lines_are_separated() -> None:
    text = "\n".join(textwrap.fill(PROSE, 70, initial_indent="     ") for _ in range(3))

    assert [line.text for line in unwrap(clean_lines(text), stands_alone)] == [PROSE] * 3


def test_a_word_broken_at_its_hyphen_is_joined() -> None:
    lines = unwrap([Line("The new north-", True), Line("south line opens in a week or so.")], lambda _: False)

    assert len(lines) in (1, 2)


@given(st.lists(st.text(max_size=90), max_size=30))
def test_unwrapping_loses_no_character_that_is_shown(texts: list[str]) -> None:
    lines = clean_lines("\n".join(texts))

    def shown(some: list[Line]) -> str:
        return "".join("".join(line.text for line in some).split())

    assert shown(unwrap(lines, stands_alone)) == shown(lines)
