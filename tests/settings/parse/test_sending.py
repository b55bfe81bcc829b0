"""Parsers for domain limits, the sending window and the addresses of the list."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from newsletter.settings.parse.sending import (
    parse_domain,
    parse_domain_limits,
    parse_leave_mailbox,
    parse_list_id,
    parse_sending_window,
)
from newsletter.settings.values import Span

EVERY_DAY = frozenset(range(7))


def test_the_mailbox_for_unsubscribing_leaves_room_for_a_token():
    assert parse_leave_mailbox("a" * 23 + "@example.org").endswith("@example.org")
    with pytest.raises(ValueError, match="more than 23 characters"):
        parse_leave_mailbox("a" * 24 + "@example.org")


def test_a_domain_is_lower_case():
    assert parse_domain(" Example.ORG ") == "example.org"
    with pytest.raises(ValueError, match="is not a domain"):
        parse_domain("bücher.example")


def test_a_list_id_has_a_dot():
    assert parse_list_id("list.example.org") == "list.example.org"
    with pytest.raises(ValueError, match="joined by dots"):
        parse_list_id("list")


def test_domain_limits_are_in_emails_a_second():
    found = parse_domain_limits("Gmail.com=20/s, bücher.example = 60 / m,*=7200/h")

    assert found == (("gmail.com", 20.0), ("xn--bcher-kva.example", 1.0), ("*", 2.0))


@pytest.mark.parametrize(
    "given", ["gmail.com", "gmail.com=20", "gmail.com=20/d", "a@gmail.com=1/s", "gmail.com=0/s", "a..b=1/s"]
)
def test_a_domain_limit_that_cannot_be_read_is_refused(given):
    with pytest.raises(ValueError, match="is not"):
        parse_domain_limits(given)


@pytest.mark.parametrize(
    ("given", "span"),
    [
        ("08:00-18:00", Span(EVERY_DAY, 480, 1080)),
        ("Mo-Fr 8:00-18:30", Span(frozenset({0, 1, 2, 3, 4}), 480, 1110)),
        ("Su 00:00-24:00", Span(frozenset({6}), 0, 1440)),
        ("Sa-Mo 08:00-09:00", Span(frozenset({5, 6, 0}), 480, 540)),
        ("Fr 22:00-06:00", Span(frozenset({4}), 1320, 1800)),
        ("12:00-12:00", Span(EVERY_DAY, 720, 2160)),
    ],
)
def test_a_window_has_weekdays_and_minutes(given, span):
    assert parse_sending_window(given).spans == (span,)


def test_a_window_may_have_several_spans_and_a_time_zone():
    found = parse_sending_window("Mo-Fr 08:00-12:00, Sa 10:00-11:00 Europe/Vilnius")

    assert len(found.spans) == 2
    assert found.zone == ZoneInfo("Europe/Vilnius")
    assert parse_sending_window("08:00-12:00").zone is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("Mo-Fr", "is not an IANA time zone"),
        ("Xx 08:00-12:00", "is not a window"),
        ("08:00-24:01", "outside 00:00 to 24:00"),
        ("24:00-08:00", "outside 00:00 to 24:00"),
        ("08:60-12:00", "outside 00:00 to 24:00"),
        ("08:00-12:00 Europe/Nowhere", "is not an IANA time zone"),
    ],
)
def test_a_window_that_cannot_be_read_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        parse_sending_window(given)
