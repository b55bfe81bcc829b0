"""Feedback reports: which are complaints, and whose."""

from __future__ import annotations

import pytest

from newsletter.bounces.read.feedback import complainers, is_complaint, read_feedback
from newsletter.bounces.read_header import read_header


@pytest.mark.parametrize(
    ("kind", "complains"), [("abuse", True), ("opt-out", True), ("", True), ("not-spam", False)]
)
def test_only_a_persons_report_is_a_complaint(kind, complains):
    assert is_complaint(read_feedback(f"\nFeedback-Type: {kind}\n")) is complains


def test_the_returned_message_names_the_person_if_the_report_hides_them():
    returned = read_header(b"X-HmXmrOriginalRecipient: <ada@harbour.example>\nTo: list@letters.example\n\n")
    hidden = read_feedback("Feedback-Type: abuse\nOriginal-Rcpt-To: redacted\n")
    told = read_feedback("Feedback-Type: abuse\nOriginal-Rcpt-To: <ben@harbour.example>\n")

    assert complainers(hidden, [returned]) == ("ada@harbour.example",)
    assert complainers(told, [returned]) == ("ben@harbour.example",)
    assert complainers(hidden, []) == ()
