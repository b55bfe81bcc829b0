"""Whose report it is: only our signed values count, wherever they stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.bounces.read.parts import cut
from newsletter.bounces.reports.match import SigningKeys, find_delivery
from newsletter.mail.verp import MOST_MARKS, delivery_token, leave_address

KEYS = SigningKeys(b"key of return paths", b"key of unsubscribe addresses")
TOKEN = delivery_token("42", KEYS.return_path)
LEAVE = leave_address("leave@news.example", "abcdefghijkl", 42, KEYS.leave, 1)
OTHER = delivery_token("43", KEYS.return_path)


def report(*lines: str, text: str = "failed") -> bytes:
    head = "From: MAILER-DAEMON@mx.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
    return "\n".join(
        [head, text, "--b", "Content-Type: message/rfc822", "", *lines, "", "Text.", "--b--"]
    ).encode()


@pytest.mark.parametrize(
    "line",
    [
        f"Message-ID: <{TOKEN}.1767225600@news.example>",
        f"X-Newsletter-Token: {TOKEN}",
        f"x-other-name: {TOKEN.upper()}",
        f"Return-Path: <{TOKEN}@news.example>",
        f"List-Unsubscribe: <https://news.example/u/x>, <mailto:{LEAVE}?subject=unsubscribe>",
    ],
)
def test_each_signed_value_names_its_delivery(line):
    assert find_delivery(cut(report(line)), [], KEYS) == 42


def test_the_address_that_the_report_was_sent_to_decides():
    raw = report(f"X-Newsletter-Token: {OTHER}")

    assert find_delivery(cut(raw), [f"{TOKEN}@bounce.example"], KEYS) == 42


def test_two_deliveries_in_one_report_are_none():
    assert find_delivery(cut(report(f"A: {TOKEN}", f"B: {OTHER}")), [], KEYS) is None


def test_a_value_in_an_encoded_part_is_found():
    raw = (
        b"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\nX: "
        + TOKEN.encode()[:20]
        + b"=\n"
    )

    assert find_delivery(cut(raw + TOKEN.encode()[20:]), [], KEYS) == 42


@pytest.mark.parametrize(
    "line",
    [
        "X-Newsletter-Token: " + TOKEN.replace("42", "44"),
        f"X-Newsletter-Token: {delivery_token('42', b'another key')}",
        f"X-Newsletter-Token: {TOKEN}a",
        "To: ada@example.org",
    ],
)
def test_a_value_that_we_did_not_sign_names_nothing(line):
    assert find_delivery(cut(report(line)), [], KEYS) is None


def test_thousands_of_forged_values_cost_little():
    forged = "\n".join(f"b-{number}-{'a' * 16}" for number in range(10_000))

    assert find_delivery(cut(report(text=forged)), [], KEYS) is None
    assert MOST_MARKS < 100


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_composition_without_our_signature_names_a_delivery(before, after):
    raw = f"{before}\nb-42-{'a' * 16}@x\nFinal-Recipient: rfc822; ada@example.org\n{after}".encode()

    assert find_delivery(cut(raw), [before, after], KEYS) is None


@given(st.sampled_from(["\n", "\r\n", "\r"]), st.text(alphabet=st.characters(codec="ascii"), max_size=200))
def test_a_report_around_our_delivery_comes_back_to_it(end, words):
    raw = report(f"Message-ID: <{TOKEN}.1@news.example>", text=words.replace("b-", "")).replace(
        b"\n", end.encode()
    )

    assert find_delivery(cut(raw), [], KEYS) in (42, None)
    assert find_delivery(cut(raw), [f"{TOKEN}@news.example"], KEYS) == 42
