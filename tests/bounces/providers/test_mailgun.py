"""Calls and events of Mailgun: the signature covers a time and a token, and each token counts once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from house import NOON
from hypothesis import given
from hypothesis import strategies as st
from webhook_calls import ADA, MAILGUN_KEY, mailgun_event, mailgun_signature

from newsletter.bounces.providers.mailgun import authenticate, read_events
from newsletter.bounces.providers.payload import load_object
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Kind
from newsletter.errors import CallRefused

TOKEN = "b-12-abcdefghijklmnop"
NONCE = "e0b5477167110d68991efc6b9f89f0a11066af27834600e123"
OTHER = "fedcba9876543210fedcba9876543210"


def test_a_signed_call_is_genuine_until_it_is_too_old():
    source = {"signature": mailgun_signature(NONCE)}

    assert authenticate(source, [OTHER, MAILGUN_KEY], NOON) == f"{int(NOON.timestamp())} {NONCE}"
    authenticate(source, [MAILGUN_KEY], NOON + timedelta(hours=11))
    for passed in (timedelta(hours=13), timedelta(minutes=-11)):
        with pytest.raises(CallRefused, match="time"):
            authenticate(source, [MAILGUN_KEY], NOON + passed)


def test_the_main_account_may_sign_for_a_subaccount():
    signature = mailgun_signature(NONCE, key=OTHER)
    parent = mailgun_signature(NONCE)["signature"]

    source = {"signature": {**signature, "parent-signature": parent}}

    assert authenticate(source, [MAILGUN_KEY], NOON) == f"{int(NOON.timestamp())} {NONCE}"


@pytest.mark.parametrize("name", ["timestamp", "token", "signature"])
@pytest.mark.parametrize("wrong", ["", "0", None, 5, ["a"], "last"])
def test_a_changed_or_missing_field_is_refused(name: str, wrong: object):
    signature: dict[str, Any] = mailgun_signature(NONCE)
    old = signature[name]
    changed = old[:-1] + ("1" if old[-1] != "1" else "2") if wrong == "last" else wrong

    with pytest.raises(CallRefused, match="signature"):
        authenticate({"signature": {**signature, name: changed}}, [MAILGUN_KEY], NOON)


def test_a_digit_moved_between_time_and_token_does_not_help():
    signed = mailgun_signature("123abc")
    longer = {**signed, "timestamp": signed["timestamp"] + "1", "token": "23abc"}
    shorter = {**signed, "timestamp": signed["timestamp"][:-1], "token": signed["timestamp"][-1] + "123abc"}

    for each in (longer, shorter):
        with pytest.raises(CallRefused, match="time"):
            authenticate({"signature": each}, [MAILGUN_KEY], NOON)


@pytest.mark.parametrize(
    "source", [{}, {"signature": None}, {"signature": []}, {"signature": {"token": "a" * 101}}]
)
def test_a_call_without_a_signature_is_refused(source: dict):
    with pytest.raises(CallRefused, match="signature"):
        authenticate(source, [MAILGUN_KEY], NOON)


def test_another_key_or_none_is_refused():
    for keys in ([], [OTHER]):
        with pytest.raises(CallRefused, match="signature"):
            authenticate({"signature": mailgun_signature(NONCE)}, keys, NOON)


@given(st.dictionaries(st.sampled_from(["timestamp", "token", "signature"]), st.text(max_size=20)))
def test_nothing_unsigned_is_genuine(signature: dict):
    with pytest.raises(CallRefused):
        authenticate({"signature": signature}, [MAILGUN_KEY], NOON)


def read(event: str, **more: Any):
    (found,) = read_events(load_object(json.dumps({"event-data": mailgun_event(event, TOKEN, **more)})))
    return found


def status(code: str, message: str = "", description: str = "", **more: str) -> dict[str, Any]:
    return {"delivery-status": {"code": code, "message": message, "description": description, **more}}


@pytest.mark.parametrize(
    ("more", "reason", "hard"),
    [
        ({"reason": "bounce", **status("550", "5.1.1 user unknown")}, Reason.NO_SUCH_USER, True),
        ({"reason": "bounce", **status("550", "", "No such mailbox")}, Reason.NO_SUCH_USER, True),
        ({"reason": "bounce", **status("550", "words nobody knows")}, Reason.UNKNOWN, False),
        ({"reason": "generic", **status("554", "5.7.1 listed at a blocklist")}, Reason.POLICY, False),
        ({"reason": "suppress-bounce", **status("605", "", "previously bounced")}, Reason.NO_SUCH_USER, True),
        ({"reason": "suppress-complaint", **status("607")}, Reason.POLICY, False),
        ({"reason": "suppress-unsubscribe", **status("606")}, Reason.POLICY, False),
        ({"reason": "old", **status("602", "Too old")}, Reason.NETWORK, False),
        (
            {"reason": "bounce", **status("550", "full", **{"enhanced-code": "5.2.2"})},
            Reason.MAILBOX_FULL,
            False,
        ),
    ],
)
def test_permanent_failures_are_what_mailgun_says(more: dict, reason: Reason, hard: bool):
    (failure,) = read("failed", severity="permanent", **more).report.failures

    assert (failure.address, failure.reason, failure.hard, failure.delayed) == (ADA, reason, hard, False)


def test_a_temporary_failure_is_late():
    (failure,) = read("failed", severity="temporary", **status("450", "4.2.0 greylisted")).report.failures

    assert (failure.delayed, failure.hard) == (True, False)


def test_complaints_and_refused_texts():
    assert read("complained").report.complaints == (ADA,)
    assert read("rejected", reject={"reason": "Sandbox"}).report.failures[0].reason is Reason.POLICY


@pytest.mark.parametrize("event", ["accepted", "delivered", "opened", "clicked", "stored", "new", ""])
def test_other_events_are_no_reports(event: str):
    assert read(event).report.kind is Kind.OTHER


def test_events_have_an_id_and_our_signed_values():
    found = read("failed", **{"user-variables": {"newsletter_token": "b-1-x"}})

    assert found.key == "failed G9Bn5sl1TC6nu79C8C0bwg 1773144000.125"
    assert len(read("failed", id=None).key) == 64
    assert set(found.signed) == {"b-1-x", f"{TOKEN}.1@example.org", "letter@example.org"}
    assert read_events({}) == read_events({"event-data": "x"}) == []
