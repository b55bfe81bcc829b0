"""The signs that a message is a report."""

from __future__ import annotations

import pytest

from newsletter.bounces.read.signs import HomeMade, oneself_of
from newsletter.bounces.read_header import read_header


def mail(sender, subject, text=""):
    return HomeMade(read_header(f"From: {sender}\nSubject: {subject}\n\n".encode()), text)


@pytest.mark.parametrize(
    ("sender", "subject", "is_program"),
    [
        ("MAILER-DAEMON@mx.example", "hello", True),
        ("=?UTF-8?B?0J/QvtGH0YLQvtCy0LDRjyDRgdC40YHRgtC10LzQsA==?= <robot@mx.example>", "hello", True),
        ("no-reply@shop.example", "Your order was delivered", False),
        ("no-reply@mx.example", "Undelivered mail", True),
        ("Ben <ben@lake.example>", "Undelivered mail", False),
    ],
)
def test_the_sender_shows_a_program_for_mail_delivery(sender, subject, is_program):
    assert mail(sender, subject).by_program == is_program


def test_an_encoded_subject_is_read():
    assert mail("x@mx.example", "=?UTF-8?B?57O757uf6YCA5L+h?=").subject_says_so


@pytest.mark.parametrize(
    ("sender", "subject", "text", "is_person"),
    [
        ("ben@lake.example", "Fwd: Undelivered mail", "What is this?", True),
        ("ben@lake.example", "Re: Undelivered mail", "What is this?\n> user unknown", True),
        ("ben@lake.example", "RE: Your message: delivery failed", "It failed.", False),
        ("MAILER-DAEMON@mx.example", "Re: Letters", "It failed.\n> Hello", False),
    ],
)
def test_a_person_answers_or_forwards_a_report(sender, subject, text, is_person):
    assert mail(sender, subject, text).by_person == is_person


def test_a_vague_phrase_needs_a_header_that_shows_a_report():
    assert mail("postmaster@mx.example", "Undelivered mail").says_failure("sorry")
    assert not mail("postmaster@mx.example", "A good offer").says_failure("sorry")


def test_the_addresses_of_a_reports_own_header_are_known():
    header = read_header(b"From: A@mx.example\nTo: news@letters.example\nCc: ada@harbour.example\n\n")

    assert oneself_of(header) == {"a@mx.example", "news@letters.example"}
