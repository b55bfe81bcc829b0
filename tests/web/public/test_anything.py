"""Random input to every public URL: the response is always a page, and never a server error."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.limits.visits import VISITOR
from newsletter.tokens import Purpose

TOKEN_DOORS = [
    "/confirm/",
    "/confirmed/",
    "/unsubscribe/",
    "/undo/",
    "/preferences/",
    "/issues/",
    "/releases/",
]
FORM_DOORS = ["/", "/link", "/link/renew"]
FIELDS = ["email", "topics", "frequency", "website", "opened", "hinted", "problem", "page", "x"]


# One installation serves all the examples of a test, and they may build on each other.
many = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def quote(data):
    return "".join(f"%{byte:02x}" for byte in data)


@many
@given(
    door=st.sampled_from(TOKEN_DOORS), data=st.binary(max_size=60), method=st.sampled_from(["GET", "POST"])
)
def test_no_bytes_in_a_token_are_a_fault_of_ours(visitor, door, data, method):
    answer = visitor.client.open(f"{door}{quote(data)}", method=method, base_url="https://news.example.org")

    assert answer.status_code < 500


@many
@given(
    door=st.sampled_from(FORM_DOORS),
    given_=st.dictionaries(st.sampled_from(FIELDS), st.binary(max_size=80), max_size=5),
)
def test_no_bytes_in_a_field_are_a_fault_of_ours(visitor, door, given_):
    visitor.house.clock.pass_(minutes=1)
    hidden = dict(re.findall(r'name="(\w+)" type="hidden" value="([^"]*)"', visitor.get("/").text))
    usual = {**hidden, "topics": "energy", "frequency": "daily", "email": "ann@example.org"}
    visitor.house.clock.pass_(seconds=VISITOR.period_seconds)
    body = "&".join(
        f"{name}={quote(given_[name]) if name in given_ else quote(usual[name].encode())}"
        for name in {**usual, **given_}
    )

    answer = visitor.post(door, body, content_type="application/x-www-form-urlencoded")
    visitor.resolve()

    assert answer.status_code < 500


@many
@given(
    body=st.binary(max_size=200),
    kind=st.sampled_from(["multipart/form-data; boundary=x", "application/json", "", "text/plain"]),
)
def test_no_body_is_a_fault_of_ours(visitor, body, kind):
    for door in [*FORM_DOORS, "/unsubscribe/x", "/preferences/x"]:
        assert visitor.post(door, body, content_type=kind).status_code < 500


@many
@given(
    payload=st.lists(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.integers()), max_size=4
    )
)
def test_no_payload_of_a_genuine_token_is_a_fault_of_ours(visitor, payload):
    doors = {
        Purpose.CONFIRM: "/confirm/",
        Purpose.PREFERENCES: "/preferences/",
        Purpose.UNSUBSCRIBE: "/unsubscribe/",
        Purpose.UNDO: "/undo/",
        Purpose.VIEW: "/issues/",
    }
    for purpose, door in doors.items():
        token = visitor.token(purpose, *payload)
        assert visitor.get(f"{door}{token}").status_code < 500
        assert visitor.post(f"{door}{token}").status_code < 500


@pytest.mark.parametrize("name", ["session", "__Host-session", "device", "remember_token", "lang", ""])
def test_no_cookie_is_a_fault_of_ours(visitor, name):
    for value in ["x|\u00e9", "\u00e9.\u00e9.\u00e9", "\udcff", "|", ".", "a" * 5000, '"\\377"']:
        for path in ["/", "/confirm/x", "/admin/sign-in", "/livez"]:
            headers = {"Cookie": f"{name}={value}".encode("utf-8", "surrogateescape").decode("latin1")}
            assert visitor.get(path, headers=headers).status_code < 500


def test_a_body_that_is_too_large_is_refused(visitor):
    assert visitor.post("/", {"email": "a" * 70_000}).status_code == 413


@pytest.mark.parametrize(
    "path", ["/", "/link", "/check-inbox", "/privacy", "/releases", "/confirmed", "/confirm/x"]
)
def test_a_head_request_is_answered_like_a_get(visitor, path):
    head = visitor.client.head(path, base_url="https://news.example.org")

    assert head.status_code == visitor.get(path).status_code
    assert head.data == b""
