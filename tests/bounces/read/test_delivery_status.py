"""The part for machines of a delivery report, with its many small faults."""

from __future__ import annotations

import pytest

from newsletter.bounces.read.delivery_status import fields_in_text, read_delivery_status
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Kind, Report, as_json, clean_address


def test_a_failure_has_the_address_that_we_mailed_and_the_one_that_failed():
    (failure,) = read_delivery_status(
        "Original-Recipient: rfc822;ada+2Bnews@harbour.example\n"
        "Final-Recipient: rfc822;ada@lake.example\nAction: failed\nStatus: 5.1.1\n"
    )

    assert failure.address == "ada+news@harbour.example"
    assert failure.final == "ada@lake.example"
    assert failure.hard


@pytest.mark.parametrize(
    ("fields", "hard", "delayed"),
    [
        ("Action: failed\nStatus: 5.1.1", True, False),
        ("Action: Failed\nStatus: 5.1.1 (unknown)", True, False),
        ("Status: 5.1.1", True, False),
        ("Action: failed\nStatus: 4.1.1", False, False),
        ("Action: delayed\nStatus: 5.1.1", False, True),
        ("Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 5.1.1 no", True, False),
        ("Action: failed\nStatus: 4.4.7\nDiagnostic-Code: smtp; 450 user unknown", False, False),
        ("Action: failed\nDiagnostic-Code: smtp; 550 user unknown", True, False),
        ("Action: failed\nStatus: 5.0.0", True, False),
        (
            "Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 Not taken today",
            False,
            False,
        ),
    ],
)
def test_only_a_dead_address_is_hard(fields, hard, delayed):
    (failure,) = read_delivery_status(f"Final-Recipient: rfc822; ada@harbour.example\n{fields}\n")

    assert (failure.hard, failure.delayed) == (hard, delayed)


def test_a_failure_without_any_reason_is_hard_and_said_to_be_unexplained():
    (failure,) = read_delivery_status(
        "Final-Recipient: rfc822; ada@harbour.example\nAction: failed\nStatus: 5.0.0\n"
    )

    assert failure.unexplained
    assert failure.reason is Reason.UNKNOWN


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_an_email_that_arrived_is_no_failure(action):
    assert read_delivery_status(f"Final-Recipient: rfc822; ada@harbour.example\nAction: {action}\n") == []


def test_fields_that_a_program_quoted_in_a_text_are_found():
    quoted = "Hello,\n> Final-Recipient: rfc822;ada@harbour.example\n> Status: 5.1.1\nBye"

    (failure,) = read_delivery_status(fields_in_text(quoted))

    assert failure.address == "ada@harbour.example"
    assert fields_in_text("Status: 5.1.1") == ""


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ("rfc822; ada@harbour.example", "ada@harbour.example"),
        ("RFC822;<ada@harbour.example>", "ada@harbour.example"),
        ("ada@harbour.example", "ada@harbour.example"),
        ("rfc822;SMTP:ada@harbour.example.", "ada@harbour.example"),
        ("X400; c=US;a= ;dda:SMTP=ada@harbour.example;", "ada@harbour.example"),
        ("utf-8; zoë@grün.example", "zoë@grün.example"),
        ("rfc822; ada", ""),
        ("rfc822; ada...@harbour.example", ""),
        ("rfc822; " + "a" * 400 + "@harbour.example", ""),
    ],
)
def test_an_address_is_found_in_its_field(field, address):
    assert clean_address(field) == address


def test_a_report_is_printed_with_all_its_keys():
    assert as_json(Report(Kind.OTHER)) == {"kind": "other", "suppress": [], "soft": [], "complaint": []}
