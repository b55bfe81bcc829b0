"""Calls and events of SendGrid: its signature covers the time and each byte of the body."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from house import NOON
from hypothesis import given
from hypothesis import strategies as st
from webhook_calls import ADA, Posted, sendgrid, sendgrid_event, sendgrid_public_key

from newsletter.bounces.providers.call import Call
from newsletter.bounces.providers.sendgrid import SIGNATURE, TIMESTAMP, authenticate, load_key, read_events
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Kind
from newsletter.errors import CallRefused

TOKEN = "b-12-abcdefghijklmnop"
KEY = sendgrid_public_key()
# A key of another account, so that the order in the settings does not matter.
OTHER = sendgrid_public_key(ec.generate_private_key(ec.SECP256R1()))


def call(posted: Posted, **more: str) -> Call:
    headers = {name.lower(): value for name, value in posted.headers.items()}
    return Call(posted.body, {**headers, **more})


def test_a_signed_call_is_genuine_until_it_is_too_old():
    for hours in (0, 25):
        authenticate(call(sendgrid([])), [OTHER, KEY], NOON + timedelta(hours=hours))
    for passed in (timedelta(hours=27), timedelta(minutes=-11)):
        with pytest.raises(CallRefused, match="time"):
            authenticate(call(sendgrid([])), [KEY], NOON + passed)


def test_any_changed_byte_is_refused():
    posted = sendgrid([sendgrid_event("bounce", TOKEN)])
    timestamp = posted.headers["X-Twilio-Email-Event-Webhook-Timestamp"]
    for at in range(len(posted.body)):
        changed = Posted(
            posted.body[:at] + bytes([posted.body[at] ^ 1]) + posted.body[at + 1 :], posted.headers
        )
        with pytest.raises(CallRefused, match="signature"):
            authenticate(call(changed), [KEY], NOON)
    for wrong in (str(int(timestamp) + 1), f"{timestamp} ", "", "\u0661"):
        with pytest.raises(CallRefused, match="signature"):
            authenticate(call(posted, **{TIMESTAMP: wrong}), [KEY], NOON)
    for at in range(0, len(posted.headers["X-Twilio-Email-Event-Webhook-Signature"]) - 4, 5):
        signature = posted.headers["X-Twilio-Email-Event-Webhook-Signature"]
        letter = "A" if signature[at] != "A" else "B"
        with pytest.raises(CallRefused, match="signature"):
            authenticate(
                call(posted, **{SIGNATURE: signature[:at] + letter + signature[at + 1 :]}), [KEY], NOON
            )


def test_a_digit_moved_from_the_time_to_the_body_does_not_help():
    posted = sendgrid(b"7[]")
    timestamp = posted.headers["X-Twilio-Email-Event-Webhook-Timestamp"]
    moved = Posted(b"[]", posted.headers)

    with pytest.raises(CallRefused, match="time"):
        authenticate(call(moved, **{TIMESTAMP: timestamp + "7"}), [KEY], NOON)


@pytest.mark.parametrize("keys", [[], [OTHER]])
def test_another_key_or_none_is_refused(keys: list[str]):
    with pytest.raises(CallRefused, match="signature"):
        authenticate(call(sendgrid([])), keys, NOON)


@given(st.binary(max_size=50), st.text(max_size=20), st.text(max_size=20))
def test_nothing_unsigned_is_genuine(body: bytes, timestamp: str, signature: str):
    for encoded in (signature, base64.b64encode(signature.encode("utf-8", "replace")).decode()):
        with pytest.raises(CallRefused):
            authenticate(Call(body, {TIMESTAMP: timestamp, SIGNATURE: encoded}), [KEY], NOON)


def test_a_key_of_another_kind_is_not_accepted():
    public = rsa.generate_private_key(65537, 2048).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    for text in (base64.b64encode(der).decode(), "AAAA", "not base64", ""):
        with pytest.raises(ValueError):
            load_key(text)


def read(event: str, **more: Any):
    (found,) = read_events(json.dumps([sendgrid_event(event, TOKEN, **more)]).encode())
    return found


@pytest.mark.parametrize(
    ("event", "more", "reason", "hard"),
    [
        (
            "bounce",
            {"type": "bounce", "status": "5.1.1", "reason": "550 user unknown"},
            Reason.NO_SUCH_USER,
            True,
        ),
        (
            "bounce",
            {"type": "bounce", "status": "", "reason": "words nobody knows"},
            Reason.NO_SUCH_USER,
            True,
        ),
        (
            "bounce",
            {"type": "bounce", "status": "5.2.2", "reason": "550 over quota"},
            Reason.MAILBOX_FULL,
            False,
        ),
        ("bounce", {"type": "blocked", "status": "5.7.1", "reason": "550 listed"}, Reason.POLICY, False),
        (
            "bounce",
            {"type": "blocked", "status": "5.1.1", "reason": "550 user unknown"},
            Reason.NO_SUCH_USER,
            False,
        ),
        ("bounce", {"type": "expired", "reason": "unable to get mx info"}, Reason.UNKNOWN, False),
        ("dropped", {"reason": "Bounced Address", "status": "5.0.0"}, Reason.NO_SUCH_USER, True),
        ("dropped", {"reason": "Invalid"}, Reason.NO_SUCH_USER, True),
        ("dropped", {"reason": "Spam Reporting Address"}, Reason.POLICY, False),
        ("dropped", {"reason": "Unsubscribed Address"}, Reason.POLICY, False),
        ("dropped", {"reason": "Spam Content"}, Reason.CONTENT, False),
        ("dropped", {"reason": "Recipient List over Package Quota"}, Reason.RATE, False),
    ],
)
def test_failures_are_what_sendgrid_says(event: str, more: dict, reason: Reason, hard: bool):
    (failure,) = read(event, **more).report.failures

    assert (failure.address, failure.hard, failure.delayed) == (ADA, hard, False)
    assert failure.reason is reason or not hard


def test_a_deferral_is_late_and_a_spam_report_a_complaint():
    (late,) = read("deferred", response="450 4.2.2 try again", attempt="5").report.failures

    assert (late.delayed, late.hard, late.status) == (True, False, "4.2.2")
    assert read("spamreport").report.complaints == (ADA,)


@pytest.mark.parametrize("event", ["processed", "delivered", "open", "click", "group_resubscribe", "new", ""])
def test_other_events_are_no_reports(event: str):
    assert read(event).report.kind is Kind.OTHER


def test_events_have_an_id_and_our_signed_values():
    found = read("bounce")

    assert found.key.startswith("ZGVmZXJyZWQ")
    assert found.signed == (TOKEN, f"<{TOKEN}.1@example.org>")
    assert len(read("bounce", sg_event_id="").key) == 64
