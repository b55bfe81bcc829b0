"""Calls of your own programs: the signature covers id, time and each byte of the body."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from house import NOON
from hypothesis import given
from hypothesis import strategies as st
from webhook_calls import ADA, GENERIC_KEY, Posted, generic

from newsletter.bounces.providers.call import Call
from newsletter.bounces.providers.generic import ID, SIGNATURE, TIMESTAMP, authenticate, read_events
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Kind
from newsletter.errors import CallRefused

TOKEN = "b-12-abcdefghijklmnop"
OTHER = b"another key of 24 bytes or more"


def call(posted: Posted, **more: str) -> Call:
    headers = {name.lower(): value for name, value in posted.headers.items()}
    return Call(posted.body, {**headers, **more})


def test_a_signed_call_is_genuine_for_five_minutes():
    posted = generic([])
    for seconds in (0, 299, -300):
        authenticate(call(posted), [OTHER, GENERIC_KEY], NOON + timedelta(seconds=seconds))
    for seconds in (301, -601):
        with pytest.raises(CallRefused, match="time"):
            authenticate(call(posted), [GENERIC_KEY], NOON + timedelta(seconds=seconds))


def test_any_changed_byte_of_body_and_headers_is_refused():
    posted = generic([{"type": "bounce", "address": ADA, "token": TOKEN}])
    for at in range(len(posted.body)):
        body = posted.body[:at] + bytes([posted.body[at] ^ 1]) + posted.body[at + 1 :]
        with pytest.raises(CallRefused, match="signature"):
            authenticate(call(Posted(body, posted.headers)), [GENERIC_KEY], NOON)
    for name, value in posted.headers.items():
        for wrong in (
            "",
            value[:-1],
            value + "1",
            value.replace("v1,", "v2,") if "," in value else value[1:],
        ):
            with pytest.raises(CallRefused):
                authenticate(call(posted, **{name: wrong}), [GENERIC_KEY], NOON)


def test_a_full_stop_moved_between_the_parts_does_not_help():
    posted = generic(b"5.[]", call_id="a")
    seconds = posted.headers[TIMESTAMP]

    for changed in ({ID: f"a.{seconds}", TIMESTAMP: "5"}, {ID: "a", TIMESTAMP: f"{seconds}.5"}):
        with pytest.raises(CallRefused):
            authenticate(call(Posted(b"[]", posted.headers), **changed), [GENERIC_KEY], NOON)


def test_another_key_or_none_is_refused():
    for keys in ([], [OTHER]):
        with pytest.raises(CallRefused, match="signature"):
            authenticate(call(generic([])), keys, NOON)


@given(st.binary(max_size=50), st.text(max_size=20), st.text(max_size=20), st.text(max_size=30))
def test_nothing_unsigned_is_genuine(body: bytes, call_id: str, seconds: str, signature: str):
    for given_signature in (signature, f"v1,{signature}"):
        headers = {ID: call_id, TIMESTAMP: seconds, SIGNATURE: given_signature}
        with pytest.raises(CallRefused):
            authenticate(Call(body, headers), [GENERIC_KEY], NOON)


def read(**event: Any):
    (found,) = read_events(call(generic({"address": ADA, "token": TOKEN, **event})))
    return found


@pytest.mark.parametrize(
    ("more", "reason", "hard"),
    [
        ({"permanent": True, "status": "5.1.1"}, Reason.NO_SUCH_USER, True),
        ({"permanent": True, "words": "550 user unknown"}, Reason.NO_SUCH_USER, True),
        ({"permanent": True, "reason": "no such user"}, Reason.NO_SUCH_USER, True),
        ({"permanent": True}, Reason.UNKNOWN, False),
        ({"permanent": "true", "status": "5.1.1"}, Reason.NO_SUCH_USER, False),
        ({"permanent": False, "status": "5.1.1"}, Reason.NO_SUCH_USER, False),
        ({"permanent": True, "reason": "policy", "status": "5.1.1"}, Reason.POLICY, False),
        ({"permanent": True, "reason": "no reason", "status": "5.2.2"}, Reason.MAILBOX_FULL, False),
    ],
)
def test_bounces_are_what_the_program_says(more: dict, reason: Reason, hard: bool):
    (failure,) = read(type="bounce", **more).report.failures

    assert (failure.address, failure.reason, failure.hard) == (ADA, reason, hard)


def test_delays_complaints_and_other_types():
    assert read(type="delay").report.failures[0].delayed
    assert read(type="complaint").report.complaints == (ADA,)
    assert read(type="complaint", address="").report.complaints == ()
    for kind in ("delivered", "open", "new", None):
        assert read(type=kind).report.kind is Kind.OTHER


def test_events_have_an_id_of_their_own_or_that_of_the_call_and_their_place():
    bodies = [{"id": "e1", "token": TOKEN}, {"token": [TOKEN, "b-1-x"]}, {"id": "msg_1 1"}]

    found = read_events(call(generic(bodies)))

    assert [each.key for each in found] == ["id e1", "call msg_1 1", "id msg_1 1"]
    assert found[1].signed == (TOKEN, "b-1-x")
    assert read_events(call(generic(json.dumps(bodies[0]).encode())))[0].key == "id e1"
