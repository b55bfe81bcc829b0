"""Parsers for keys, commands, paths, languages, yes or no, and choices."""

from __future__ import annotations

import enum
from pathlib import Path

import pytest

from newsletter.settings.parse.general import (
    MINIMUM_KEY_LENGTH,
    one_of,
    optional,
    optional_or,
    parse_command,
    parse_keys,
    parse_languages,
    parse_path,
    parse_yes,
)

KEY = "k" * MINIMUM_KEY_LENGTH


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


def test_keys_keep_their_order_and_each_must_be_long():
    assert parse_keys(f" {KEY}1, {KEY}2 ,") == (f"{KEY}1", f"{KEY}2")
    with pytest.raises(ValueError, match="contains no key"):
        parse_keys(" ,")
    with pytest.raises(ValueError, match="fewer than 32 characters"):
        parse_keys(f"{KEY},{KEY[1:]}")


def test_an_error_about_keys_shows_no_key():
    with pytest.raises(ValueError, match="fewer than") as caught:
        parse_keys("secret-but-short")

    assert "secret-but-short" not in str(caught.value)


@pytest.mark.parametrize(("given", "words"), [("'a b", "closing"), ("  ", "is not a command")])
def test_a_command_that_the_shell_could_not_read_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        parse_command(given)


def test_a_path_is_absolute_and_knows_the_home_folder():
    assert parse_path(" data/x ") == Path.cwd() / "data/x"
    assert parse_path("~/x") == Path.home() / "x"


def test_languages_are_named_once_and_must_exist():
    assert parse_languages("de, en,de") == ("de", "en")
    with pytest.raises(ValueError, match="names xx, yy; there are"):
        parse_languages("de,xx,yy")


@pytest.mark.parametrize(
    ("given", "expected"), [("Yes", True), (" on", True), ("1", True), ("OFF", False), ("0", False)]
)
def test_yes_and_no_have_four_forms(given, expected):
    assert parse_yes(given) is expected
    with pytest.raises(ValueError, match="neither yes nor no"):
        parse_yes("maybe")


def test_a_choice_is_one_of_its_values():
    assert one_of(Colour)(" RED ") is Colour.RED
    with pytest.raises(ValueError, match="is not one of red, blue"):
        one_of(Colour)("green")


def test_an_empty_optional_value_has_its_default():
    assert optional(parse_yes)(" ") is None
    assert optional(parse_yes)("yes") is True
    assert optional_or(parse_languages, ())("") == ()
    assert optional_or(parse_languages, ())("lt") == ("lt",)
