"""The reason why an email came back, from a status and the server's words."""

from __future__ import annotations

import pytest

from newsletter.bounces.read.reasons import Reason, classify, code_in, reason_of_text, status_in
from newsletter.bounces.read.wording import ends_with, says


@pytest.mark.parametrize(
    ("status", "words", "reason"),
    [
        ("5.1.1", "", Reason.NO_SUCH_USER),
        ("5.0.0", "550 no such user", Reason.NO_SUCH_USER),
        ("5.7.1", "550 5.7.1 user unknown", Reason.NO_SUCH_USER),
        ("5.1.2", "", Reason.DOMAIN_GONE),
        ("5.1.10", "no mail for this domain", Reason.DOMAIN_GONE),
        ("5.1.10", "RESOLVER.ADR.RecipientNotFound", Reason.NO_SUCH_USER),
        ("5.2.2", "user unknown", Reason.MAILBOX_FULL),
        ("", "552 mailbox of this person is full", Reason.MAILBOX_FULL),
        ("5.1.1", "rejected: listed at a dnsbl", Reason.POLICY),
        ("5.1.1", "max message size exceeded", Reason.TOO_BIG),
        ("5.1.1", "unauthorized sender", Reason.POLICY),
        ("5.1.8", "user unknown", Reason.POLICY),
        ("5.7.26", "", Reason.POLICY),
        ("5.0.0", "spam", Reason.CONTENT),
        ("5.3.4", "", Reason.TOO_BIG),
        ("4.4.1", "", Reason.NETWORK),
        ("4.7.0", "rate limit", Reason.RATE),
        ("5.0.0", "something else", Reason.UNKNOWN),
        ("5.0.0", "Der Empfänger: Benutzer unbekannt", Reason.NO_SUCH_USER),
        ("5.0.0", "la boîte aux lettres de Ada est pleine", Reason.MAILBOX_FULL),
    ],
)
def test_the_reason_comes_from_status_and_words(status, words, reason):
    assert classify(status, words) is reason


def test_vague_words_count_only_in_what_a_server_said():
    assert reason_of_text("your attachment") is Reason.CONTENT
    assert reason_of_text("your attachment", whole=True) is Reason.UNKNOWN


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("550 5.1.1 no", "5.1.1", 550),
        ("smtp; 550-5.1.1 The account", "5.1.1", 550),
        ("host 192.0.5.1.1 said 4.2.2", "4.2.2", None),
        ("version 5.1.1.7", "", None),
        ("(#5.1.1)", "5.1.1", None),
        ("<<< 421 later", "", 421),
        ("room 5500", "", None),
    ],
)
def test_statuses_and_codes_are_found_in_words(text, status, code):
    assert status_in(text) == status
    assert code_in(text) == code


def test_a_phrase_is_found_with_its_gap():
    assert says("delays", "delivery: message will be retried for one more day")
    assert says("failures", "delivery to ada has failed")
    assert not says("failures", "good morning")
    assert ends_with("before_address", " deliver to")
    assert not ends_with("before_address", " potato")
