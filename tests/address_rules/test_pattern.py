"""Patterns of addresses: which texts are patterns, and which addresses match."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.address_rules.pattern import Pattern, hosts_of, match_local, parse_pattern
from newsletter.errors import InputError


@pytest.mark.parametrize(
    ("typed", "host", "local"),
    [
        ("example.org", "example.org", "*"),
        (" Example.ORG ", "example.org", "*"),
        ("@example.org", "example.org", "*"),
        ("*@example.org", "example.org", "*"),
        ("**@example.org", "example.org", "*"),
        ("*.example.org", "*.example.org", "*"),
        ("*.org", "*.org", "*"),
        ("bücher.example.org", "xn--bcher-kva.example.org", "*"),
        ("NEWS*@example.org", "example.org", "news*"),
        ("noreply@*", "*", "noreply"),
        ("noreply@*.example.org", "*.example.org", "noreply"),
        ("Jürgen*@example.org", "example.org", "jürgen*"),
    ],
)
def test_what_a_person_types_becomes_a_pattern(typed, host, local):
    assert parse_pattern(typed) == Pattern(host, local)


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "*", "*@*", "**", "***@*", "@*", "org", "localhost", "ex*mple.org", "*example.org", "*.*",
        "*.*.org", "ann@example.org", "a b*@example.org", "a@b*@example.org", "a*b*c*d*e*f@example.org",
        "*.test", "exa mple.org", "example.org\nother.org", "*@[192.0.2.1]", "x" * 300, ".org",
        "example..org",
    ],
)  # fmt: skip
def test_what_means_everybody_or_one_address_or_nothing_is_refused(typed):
    with pytest.raises(InputError):
        parse_pattern(typed)


@pytest.mark.parametrize(
    ("typed", "matching", "other"),
    [
        ("example.org", ["ann@example.org"], ["ann@mail.example.org", "ann@notexample.org", "ann@org"]),
        ("*.example.org", ["ann@a.example.org", "ann@a.b.example.org"], ["ann@example.org"]),
        ("news*@example.org", ["news@example.org", "newsroom@example.org"], ["anews@example.org"]),
        ("*bot*x@*", ["bot-x@a.org", "my.botx@b.org"], ["bot@a.org", "x@a.org"]),
        ("bücher.example.org", ["ann@xn--bcher-kva.example.org"], ["ann@bucher.example.org"]),
    ],
)
def test_a_pattern_matches_its_addresses_and_no_other(typed, matching, other):
    pattern = parse_pattern(typed)

    assert [each for each in matching if not pattern.matches(each)] == []
    assert [each for each in other if pattern.matches(each)] == []


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
@example("a*a", "a")
@example("*ab*b", "ab")
def test_a_star_stands_for_any_characters(wanted, local):
    as_expression = ".*".join(re.escape(piece) for piece in wanted.split("*"))

    assert match_local(wanted, local) == bool(re.fullmatch(as_expression, local))


@given(st.text(max_size=40))
def test_a_pattern_that_is_accepted_can_be_typed_again(text):
    try:
        pattern = parse_pattern(text)
    except InputError:
        return

    assert parse_pattern(str(pattern)) == pattern


def test_the_hosts_of_a_domain_are_itself_its_parents_and_every_domain():
    assert hosts_of("a.b.org") == ["a.b.org", "*.b.org", "*.org", "*"]
    assert [Pattern(each).is_wide for each in hosts_of("a.b.org")] == [False, False, True, True]
