"""Rules as text: what is written is read again, and each wrong line is named."""

from __future__ import annotations

import re

import pytest

from newsletter.errors import FieldsInvalid
from newsletter.models import RuleField, RuleMatch
from newsletter.releases.rules.match import Group, Rule, RuleSet
from newsletter.releases.rules.text import MOST_RULES, read_rules, write_rules

TEXT = """any of
words: gas*
not publisher: Port of Halmstrand
not all of
  language: de
  not tag: sport"""
RULES = RuleSet(
    RuleMatch.ANY,
    (
        Rule(RuleField.WORDS, "gas*"),
        Rule(RuleField.PUBLISHER, "Port of Halmstrand", is_not=True),
        Group(
            RuleMatch.ALL,
            (Rule(RuleField.LANGUAGE, "de"), Rule(RuleField.TAG, "sport", is_not=True)),
            is_not=True,
        ),
    ),
)


def test_a_text_is_read_and_written_again():
    assert read_rules(TEXT) == RULES
    assert write_rules(RULES) == TEXT
    assert read_rules("") == RuleSet()
    assert write_rules(RuleSet()) == ""


def test_case_white_space_and_the_place_of_groups_make_no_difference():
    text = (
        "ANY OF\r\n\r\nNot All of\r\n\tlanguage: de\r\n    NOT Tag:  sport\r\nWORDS: gas*\r\n"
        "not publisher: Port  of Halmstrand\r\n"
    )

    assert read_rules(text) == RULES


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("words: gas", "Line 1: begin with “any of” or “all of”"),
        ("not any of\nwords: gas", "Line 1: begin with"),
        ("any of\nheadline: gas", "Line 2: write the rule as “words: gas\\*”. The fields are publisher"),
        ("any of\ngas", "Line 2: write the rule as"),
        ("any of\nwords:", "Line 2: a rule needs one or more words"),
        ("any of\nwords: *gas", "Line 2: .* has a \\* that is not at the end"),
        ("any of\nlanguage: german!", "Line 2: .* is not a language tag"),
        ("any of\n  words: gas", "Line 2: only the rules of a group are indented"),
        ("any of\nall of\nwords: gas", "Line 2: the group has no rules"),
        ("any of\nall of\n  any of\n  words: gas", "Line 3: a group cannot be inside a group"),
        ("any of\nwords: a\x00b", "Line 2: a rule has characters that cannot be printed"),
        ("any of\n" + "words: gas\n" * (MOST_RULES + 1), f"more than {MOST_RULES} rules"),
    ],
)
def test_a_wrong_line_is_named(text: str, words: str):
    with pytest.raises(FieldsInvalid) as fault:
        read_rules(text)

    assert re.search(words, fault.value.faults["rules"])
