"""Texts made to be slow take time in proportion to their size. The tests compare ratios, not seconds."""

from __future__ import annotations

import gc
import time
import unicodedata
from datetime import date

import nh3
import pytest
from hostile_texts import KINDS, text_of
from hypothesis import given
from hypothesis import strategies as st

from newsletter.ingest.press.parse import parse_press
from newsletter.ingest.text.decode import decode
from newsletter.models import RuleField, RuleMatch
from newsletter.releases.decide import Candidate, to_html
from newsletter.releases.fold import fold
from newsletter.releases.rules.match import Rule, RuleSet

TAGS = {"p", "ul", "li", "br"}


def take_in(raw: bytes) -> str:
    press = parse_press(decode(raw, "x"), "x", date(2026, 3, 3))
    candidate = Candidate(press.title, press.publisher, press.body)
    RuleSet(RuleMatch.ALL, (Rule(RuleField.WORDS, "harbour"),)).matches(candidate)
    return candidate.content_hash + to_html(press.paragraphs)


def is_proportional(work, small, large) -> bool:
    """Return whether `large`, which has four times the size, takes less than eight times as long.

    Quadratic code takes sixteen times as long at each attempt. Other programs may delay a single one. The
    garbage collector visits the objects of all earlier tests, so it rests meanwhile, as in `timeit`.
    """
    gc.collect()
    gc.disable()
    try:
        return any(_seconds(work, large) < 8 * _seconds(work, small) for _ in range(8))
    finally:
        gc.enable()


def _seconds(work, text) -> float:
    started = time.process_time()
    work(text)
    return max(0.002, time.process_time() - started)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_of_four_times_the_size_takes_no_more_than_about_four_times_as_long(kind):
    small, large = text_of(kind, 10_000).encode(), text_of(kind, 40_000).encode()

    assert is_proportional(take_in, small, large)


@pytest.mark.parametrize("char", ["&", "<", ">", '"', "\u00a0"])
def test_html_of_a_text_of_four_times_the_size_takes_no_more_than_about_four_times_as_long(char):
    small, large = [char * 100_000], [char * 400_000]

    assert is_proportional(to_html, small, large)


@pytest.mark.parametrize("kind", ["ampersands", "less-than", "quotes", "ideographs", "marks-out-of-order"])
def test_a_hostile_text_of_a_megabyte_is_neither_cut_nor_refused(kind):
    text = text_of(kind, 1_000_000)

    press = parse_press(decode(text.encode(), "x"), "x", date(2026, 3, 3))

    piece = KINDS[kind](100)
    assert press.body.count(piece[0]) >= text.count(piece[0]) - 1


def test_a_text_with_the_largest_number_of_lines_is_parsed_completely():
    lines = [f"- item {number}" for number in range(49_000)]

    press = parse_press("Harbour opens new quay\n\nIt opens.\n\n" + "\n".join(lines), "x")

    assert press.body.count("item") == 49_000


texts = st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n<>&\"'-* "), max_size=60)


@given(st.lists(texts, max_size=4))
def test_a_sanitiser_has_nothing_to_change(paragraphs):
    made = to_html(paragraphs)

    assert nh3.clean(made, tags=TAGS).replace("&nbsp;", "\u00a0") == made


marks = st.text(
    st.sampled_from("aA\u0301\u0323\u0f73\u0344\u1100\u1161\u11a8\u3316\ufdfa\u0345\u1e9b\u00e9"),
    max_size=200,
)


@given(marks)
def test_folding_long_runs_of_marks_gives_what_nfkc_gives(text):
    text = text + "\u00e9" * 70 + text

    assert fold(text) == unicodedata.normalize("NFKC", text).casefold()


def test_a_number_of_thousands_of_digits_is_no_character_and_no_fault():
    raw = f"A new &amp; better cable\n\nThe port opened &#{'7' * 5000}; a line on Monday.\n".encode()

    press = parse_press(decode(raw, "x"), "x", date(2026, 3, 3))

    assert press.title == "A new & better cable"
    assert "777" not in press.body
