"""Checks of a call: its secret, its time, and signatures."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import NOON
from hypothesis import given
from hypothesis import strategies as st
from webhook_calls import SECRET, basic

from newsletter.bounces.providers.call import Call, check_secret, check_time, moment, same
from newsletter.errors import CallRefused

OTHER = "another-secret-that-is-long-enough-too"


def with_authorization(value: str) -> Call:
    return Call(b"", {"authorization": value})


@pytest.mark.parametrize(
    "value",
    [basic()["Authorization"], basic(user="")["Authorization"], f"Bearer {SECRET}", f"bearer  {SECRET}"],
)
def test_a_secret_is_a_password_or_a_token(value: str):
    call = with_authorization(value)

    check_secret(call, [OTHER, SECRET])

    assert call.secret == SECRET


@pytest.mark.parametrize(
    "value",
    [
        "",
        SECRET,
        "Bearer",
        "Bearer ",
        f"Bearer {SECRET}x",
        f"Bearer {SECRET[:-1]}",
        f"Digest {SECRET}",
        basic("")["Authorization"],
        basic("wrong")["Authorization"],
        basic("x", user=SECRET)["Authorization"],
        "Basic not base64!",
        "Basic \xff",
        "Basic bm9jb2xvbg==",
    ],
)
def test_any_other_header_is_refused(value: str):
    with pytest.raises(CallRefused, match="secret"):
        check_secret(with_authorization(value), [OTHER, SECRET])


def test_without_secrets_everything_is_refused():
    for call in (Call(b""), with_authorization("Bearer "), with_authorization(basic("")["Authorization"])):
        with pytest.raises(CallRefused):
            check_secret(call, [])


@given(st.text(max_size=60))
def test_no_header_raises_another_error(value: str):
    with pytest.raises(CallRefused):
        check_secret(with_authorization(value), [SECRET])


def test_a_time_is_recent():
    for ago in (timedelta(0), timedelta(hours=1), timedelta(minutes=-9)):
        check_time(NOON - ago, NOON, timedelta(hours=1))
    for ago in (timedelta(hours=1, seconds=1), timedelta(minutes=-11)):
        with pytest.raises(CallRefused, match="time"):
            check_time(NOON - ago, NOON, timedelta(hours=1))


def test_a_time_is_digits():
    assert moment(str(int(NOON.timestamp()))) == NOON
    for text in ("", "-1", "1.5", " 1", "\u0661", "9" * 12, "0x1", "1e3"):
        with pytest.raises(CallRefused):
            moment(text)
    moment("9" * 11)


def test_signatures_are_compared_whatever_they_are():
    assert same("ab", "ab")
    assert not same("", "ab")
    assert not same("\ud800", "ab")
