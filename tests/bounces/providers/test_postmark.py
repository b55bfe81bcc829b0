"""Events of Postmark: bounces by their type, complaints, and types that change nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from webhook_calls import ADA, postmark_event

from newsletter.bounces.providers.postmark import read_events
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Kind
from newsletter.errors import PayloadInvalid

TOKEN = "b-12-abcdefghijklmnop"


def read(record: str, **more: Any):
    (found,) = read_events(json.dumps(postmark_event(record, TOKEN, **more)).encode())
    return found


@pytest.mark.parametrize(
    ("kind", "words", "reason", "hard"),
    [
        ("HardBounce", "smtp;550 5.1.1 no such account", Reason.NO_SUCH_USER, True),
        ("HardBounce", "words nobody knows", Reason.NO_SUCH_USER, True),
        ("HardBounce", "smtp;550 5.7.1 listed at a blocklist", Reason.POLICY, False),
        ("BadEmailAddress", "", Reason.NO_SUCH_USER, True),
        ("SoftBounce", "smtp;452 4.2.2 over quota", Reason.MAILBOX_FULL, False),
        ("DnsError", "", Reason.NETWORK, False),
        ("SpamNotification", "", Reason.CONTENT, False),
        ("Blocked", "", Reason.POLICY, False),
        ("DMARCPolicy", "", Reason.POLICY, False),
        ("ManuallyDeactivated", "", Reason.POLICY, False),
        ("Unknown", "550 5.1.1 user unknown", Reason.NO_SUCH_USER, False),
    ],
)
def test_bounces_are_what_postmark_says(kind: str, words: str, reason: Reason, hard: bool):
    (failure,) = read("Bounce", Type=kind, Details=words, Description="").report.failures

    assert (failure.address, failure.reason, failure.hard) == (ADA, reason, hard)


def test_a_transient_failure_is_late():
    assert read("Bounce", Type="Transient").report.failures[0].delayed


def test_complaints_come_as_their_own_record_or_as_a_bounce():
    for found in (read("SpamComplaint", Type="SpamComplaint"), read("Bounce", Type="SpamComplaint")):
        assert found.report.complaints == (ADA,)


@pytest.mark.parametrize(
    "kind", ["AutoResponder", "AddressChange", "ChallengeVerification", "Subscribe", "New", ""]
)
def test_other_types_change_nothing(kind: str):
    assert read("Bounce", Type=kind).report.kind is Kind.OTHER


@pytest.mark.parametrize("record", ["Delivery", "Open", "Click", "SubscriptionChange", "Inbound", ""])
def test_other_records_change_nothing(record: str):
    assert read(record).report.kind is Kind.OTHER


def test_events_have_an_id_and_our_signed_value():
    assert read("Bounce").key == "Bounce 4323372036854775807"
    assert read("SpamComplaint").key != read("Bounce").key
    assert len(read("Bounce", ID=None).key) == 64
    assert read("Bounce", Metadata={"a": "x", "token": TOKEN, "n": 5}).signed == ("x", TOKEN, "5")
    for wrong in (None, [], "text", 5):
        assert read("Bounce", Metadata=wrong).signed == ()


def test_a_batch_is_refused():
    with pytest.raises(PayloadInvalid):
        read_events(b"[]")
