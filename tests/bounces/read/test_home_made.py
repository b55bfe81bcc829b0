"""Finding the failed address in a text for people."""

from __future__ import annotations

import pytest

from newsletter.bounces.read.home_made import explain, read_home_made
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Failure
from newsletter.bounces.read.signs import HomeMade
from newsletter.bounces.read_header import read_header

HEADER = read_header(b"From: MAILER-DAEMON@mx.example\nTo: news@letters.example\nSubject: failure notice\n\n")


def addresses(text, header=HEADER):
    return [each.address for each in read_home_made(HomeMade(header, text))]


@pytest.mark.parametrize(
    "text",
    [
        "Delivery failed.\n\nada@harbour.example\n",
        "<ada@harbour.example>: user unknown",
        "Delivery failed. User not found:ada@harbour.example",
        "Your message to ada@harbour.example could not be delivered. Ask help@lake.example.",
        "Delivery failed for rfc822;ada@harbour.example",
        "Message from news@letters.example to ada@harbour.example failed",
        "failed:\nada@harbour.example\n\n--- original message ---\nTo: ben@harbour.example\n",
        "failed:\nada@harbour.example\n\nReceived: from mx.example\nTo: ben@harbour.example\n",
        "To: ben@harbour.example\ndid not reach the following recipient(s):\nada@harbour.example on Monday\n",
    ],
)
def test_the_failed_address_is_found_beside_others(text):
    assert addresses(text) == ["ada@harbour.example"]


def test_a_persons_mail_that_names_an_address_is_no_report():
    header = read_header(b"From: ben@harbour.example\nSubject: hello\n\n")

    assert addresses("ada@harbour.example could not be delivered", header) == []


def test_our_own_addresses_never_failed():
    assert addresses("failed: news@letters.example, postmaster@mx.example") == []


def test_each_address_has_its_own_reason():
    text = "failed\n<ada@harbour.example>: user unknown\n<ben@harbour.example>: mailbox full\n"

    found = read_home_made(HomeMade(HEADER, text))

    assert [each.reason for each in found] == [Reason.NO_SUCH_USER, Reason.MAILBOX_FULL]


def test_the_text_explains_a_failure_that_has_no_words():
    bare = Failure("ada@harbour.example", Reason.UNKNOWN, permanent=True, unexplained=True)

    (full,) = explain([bare], HomeMade(HEADER, "failed:\n  ada@harbour.example\n    mailbox is full\n"))
    (other,) = explain(
        [bare], HomeMade(HEADER, "failed:\n  ada@harbour.example\n    it went somewhere else\n")
    )

    assert full.reason is Reason.MAILBOX_FULL
    assert not full.hard
    assert not other.hard


def test_an_address_in_the_wrapped_words_of_a_server_did_not_fail():
    text = "<ada@harbour.example>: host mx.example said: 550 5.1.1\n    <b-7@letters.example>: bad sender\n"

    assert addresses(text) == ["ada@harbour.example"]
