"""Tests of the rules for links that an editor gives."""

from __future__ import annotations

import pytest

from newsletter.errors import InputError
from newsletter.ingest.pages.link_rules import check_rules, fits, to_xpath


@pytest.mark.parametrize(
    ("selector", "pattern", "words"),
    [
        ("a[", "", "CSS selector"),
        ("a::before:nth(", "", "CSS selector"),
        ("", "news/*", "begins with /"),
        ("", "/" + "*" * 6, "at most 5 asterisks"),
        ("a" * 301, "", "at most 300"),
    ],
)
def test_a_rule_that_cannot_be_used_says_why(selector: str, pattern: str, words: str):
    with pytest.raises(InputError, match=words):
        check_rules(selector, pattern)


def test_usual_rules_are_accepted():
    check_rules("", "")
    check_rules("main .news > li a", "/news/*/press-*")
    assert to_xpath("a") == "descendant-or-self::a"


def test_an_asterisk_stands_for_any_characters_and_nothing_else_is_special():
    assert fits("/news/*", "/news/2026/quay")
    assert fits("/a.b", "/A.B")
    assert not fits("/a.b", "/axb")
    assert not fits("/news/*", "/old/news/1")
