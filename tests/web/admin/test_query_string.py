"""The query string: page numbers, texts and choices. A value that cannot be used is ignored."""

from __future__ import annotations

import enum

import pytest
from flask import Flask

from newsletter.web.admin.query_string import LONGEST_TEXT, choice_of, choices_of, page_number, text_of


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 1),
        ("page=7", 7),
        ("page=0", 1),
        ("page=-2", 1),
        ("page=x", 1),
        ("page=²", 1),
        ("page=12345678", 1),
    ],
)
def test_a_page_number_is_a_small_whole_number(query, expected):
    with Flask("test").test_request_context(f"/?{query}"):
        assert page_number() == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [("", None), ("q=+sea%00%0A+", "sea"), ("q=%20", None), (f"q={'x' * 400}", "x" * LONGEST_TEXT)],
)
def test_a_text_has_no_control_characters_and_an_end(query, expected):
    with Flask("test").test_request_context(f"/?{query}"):
        assert text_of("q") == expected


def test_only_known_choices_are_taken_and_each_once():
    assert choice_of(Colour, "red") is Colour.RED
    assert choice_of(Colour, "green") is None
    assert choice_of(Colour, None) is None
    assert choices_of(Colour, ["blue", "green", "red", "blue"]) == [Colour.RED, Colour.BLUE]
