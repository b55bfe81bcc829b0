"""Events of Brevo, alone and in batches: bounces, complaints, and events that change nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from webhook_calls import ADA, brevo_event

from newsletter.bounces.providers.brevo import read_events
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Kind

TOKEN = "b-12-abcdefghijklmnop"


def read(event: str, **more: Any):
    (found,) = read_events(json.dumps(brevo_event(event, TOKEN, **more)).encode())
    return found


@pytest.mark.parametrize(
    ("event", "words", "reason", "hard"),
    [
        ("hard_bounce", "550 5.1.1 user unknown", Reason.NO_SUCH_USER, True),
        ("hard_bounce", "words nobody knows", Reason.NO_SUCH_USER, True),
        ("hard_bounce", "550 5.7.1 listed at a blocklist", Reason.POLICY, False),
        ("invalid_email", "", Reason.NO_SUCH_USER, True),
        ("soft_bounce", "552 5.2.2 over quota", Reason.MAILBOX_FULL, False),
        ("soft_bounce", "550 5.1.1 user unknown", Reason.NO_SUCH_USER, False),
        ("blocked", "due to blacklist user", Reason.POLICY, False),
        ("error", "", Reason.POLICY, False),
    ],
)
def test_failures_are_what_brevo_says(event: str, words: str, reason: Reason, hard: bool):
    (failure,) = read(event, reason=words).report.failures

    assert (failure.address, failure.reason, failure.hard) == (ADA, reason, hard)


def test_a_deferral_is_late_and_spam_a_complaint():
    assert read("deferred").report.failures[0].delayed
    assert read("spam").report.complaints == (ADA,)


@pytest.mark.parametrize(
    "event", ["request", "delivered", "opened", "unique_opened", "click", "proxy_open", "new"]
)
def test_other_events_are_no_reports(event: str):
    assert read(event).report.kind is Kind.OTHER


def test_an_event_is_known_by_email_kind_and_time():
    first = read("hard_bounce")

    assert first.key == read("hard_bounce", reason="other words").key
    for more in ({"ts_event": 1}, {"message-id": "<other@example.org>"}, {"email": "b@example.org"}):
        assert first.key != read("hard_bounce", **more).key
    assert first.key != read("soft_bounce").key
    assert len(read("hard_bounce", **{"message-id": None}).key) == 64


def test_a_batch_has_several_events_with_our_signed_values():
    batch = [brevo_event("hard_bounce", "b-1-x"), brevo_event("spam", "b-2-y")]

    found = read_events(json.dumps(batch).encode())

    assert [each.signed[0] for each in found] == ["b-1-x", "b-2-y"]
