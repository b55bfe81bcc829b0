"""Parsers that several settings share: addresses, lists, rates, whole numbers, hosts, domains."""

from __future__ import annotations

import pytest

from newsletter.settings.parse.common import (
    domain_in_ascii,
    ip_of,
    is_loopback,
    parse_address,
    parse_rate,
    split_list,
    whole_number,
)


@pytest.mark.parametrize(
    ("given", "expected"), [(" a.b@example.org ", "a.b@example.org"), ("x@localhost", "x@localhost")]
)
def test_an_address_is_taken_without_spaces_around_it(given, expected):
    assert parse_address(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "example.org",
        "@example.org",
        "a@",
        "a b@example.org",
        "a,b@example.org",
        "<a@example.org>",
        "a@-x.org",
    ],
)
def test_text_that_is_no_address_is_refused(given):
    with pytest.raises(ValueError, match="is not an address"):
        parse_address(given)


def test_an_address_beyond_ascii_before_the_at_sign_is_refused():
    with pytest.raises(ValueError, match="use ASCII only"):
        parse_address("märz@example.org")


def test_a_list_has_its_parts_and_must_have_one():
    assert split_list(" a, ,b ,") == ["a", "b"]
    with pytest.raises(ValueError, match="is empty"):
        split_list(" , ")


@pytest.mark.parametrize(("given", "expected"), [("20", 20.0), (" 0.5 ", 0.5), ("1234567", 1234567.0)])
def test_a_rate_is_a_number(given, expected):
    assert parse_rate(given) == expected


@pytest.mark.parametrize("given", ["0", "0.0", "-1", "1e3", "inf", "", "12345678", "1.1234567"])
def test_a_rate_that_is_not_above_zero_is_refused(given):
    with pytest.raises(ValueError, match="is not a number above 0"):
        parse_rate(given)


def test_a_whole_number_may_be_the_lowest_and_the_highest_allowed():
    parse = whole_number(2, 5)

    assert [parse("2"), parse(" 5 ")] == [2, 5]
    for wrong in ("1", "6", "-2", "2.0", ""):
        with pytest.raises(ValueError, match="is not a whole number from 2 to 5"):
            parse(wrong)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.8.0.1", True), ("::1", True), ("192.0.2.7", False), ("example.org", False)],
)
def test_only_this_machine_is_loopback(host, expected):
    assert is_loopback(host) is expected


def test_a_name_is_no_ip_address():
    assert str(ip_of("2001:DB8::7")) == "2001:db8::7"
    assert ip_of("example.org") is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Example.ORG", "example.org"),
        ("straße.example", "xn--strae-oqa.example"),
        ("a..b", None),
        ("a b", None),
    ],
)
def test_a_domain_becomes_ascii(name, expected):
    assert domain_in_ascii(name) == expected
