from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.verp import (
    LONGEST_ID,
    LONGEST_LEAVE_MAILBOX,
    delivery_token,
    leave_address,
    parse_delivery_token,
    parse_leave_address,
    parse_return_path,
    return_path,
)

KEY = b"k" * 32
OLD = b"o" * 32
IDS = st.from_regex(rf"[a-z0-9]{{1,{LONGEST_ID}}}", fullmatch=True)


@given(IDS, st.sampled_from([str.upper, str.lower, str.swapcase, str.title]))
def test_a_return_path_names_its_delivery_whatever_became_of_its_case(delivery_id, fold) -> None:
    address = return_path(delivery_token(delivery_id, KEY), "bounces.example.org")

    assert parse_return_path(fold(address), [KEY]) == delivery_id
    assert len(address.partition("@")[0]) <= 64
    assert re.fullmatch(r"b-[a-z0-9-]+-[a-z2-7]{16}@bounces\.example\.org", address)


def test_an_id_with_hyphens_keeps_them() -> None:
    delivery_id = "123e4567-e89b-12d3-a456-426614174000"

    assert (
        parse_return_path(return_path(delivery_token(delivery_id, KEY), "example.org"), [KEY]) == delivery_id
    )


def test_a_return_path_may_come_in_angle_brackets_and_by_another_domain() -> None:
    address = return_path(delivery_token("42", KEY), "example.org").replace(
        "@example.org", "@forward.example.net"
    )

    assert parse_return_path(f" <{address}>\r\n", [KEY]) == "42"


def test_a_return_path_made_with_an_older_key_is_still_ours() -> None:
    address = return_path(delivery_token("42", OLD), "example.org")

    assert parse_return_path(address, [KEY, OLD]) == "42"
    assert parse_return_path(address, [KEY]) is None
    assert parse_return_path(address, []) is None


@given(st.data())
def test_a_forged_return_path_proves_nothing(data) -> None:
    address = return_path(delivery_token("4711", KEY), "example.org")
    at = data.draw(st.integers(0, address.index("@") - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567-"))

    forged = address[:at] + letter + address[at + 1 :]

    assert (parse_return_path(forged, [KEY]) is None) == (forged != address)


@pytest.mark.parametrize(
    "address",
    ["", "@", "b-@example.org", "b-42@example.org", "reader@example.org", "b-42-aaaaaaaaaaaaaaaa@", "<>"],
)
def test_other_addresses_are_nobodys_return_path(address: str) -> None:
    assert parse_return_path(address, [KEY]) is None


@given(st.text())
def test_any_text_can_be_asked_about(text: str) -> None:
    assert parse_return_path(text, [KEY]) is None
    assert parse_leave_address(text, KEY) is None


PUBLIC_IDS = st.from_regex(r"[A-Za-z0-9_-]{12}", fullmatch=True)


@given(
    PUBLIC_IDS,
    st.integers(0, 2**32 - 1),
    st.none() | st.integers(1, 2**16 - 1),
    st.sampled_from([str.upper, str.lower, str.swapcase, str.title]),
)
def test_an_unsubscribe_address_names_its_ids_in_upper_or_lower_case(
    subscriber, delivery, newsletter, fold
) -> None:
    address = leave_address("Leave@News.example.org", subscriber, delivery, KEY, newsletter)

    assert address is not None
    assert parse_leave_address(fold(address), KEY) == (subscriber, delivery, newsletter)
    assert re.fullmatch(r"Leave\+[a-z2-7]{40}@News\.example\.org", address)


def test_an_unsubscribe_address_is_read_after_aliases_and_with_another_sign_than_a_plus() -> None:
    address = leave_address("leave@example.org", "abcDEF-_0123", 42, KEY) or ""
    token = address.partition("+")[2].partition("@")[0]

    for other in (
        f"list-leave-{token}@mx.example.net",
        f"leave={token}@a",
        f" <LEAVE+{token.upper()}@B>\r\n",
    ):
        assert parse_leave_address(other, KEY) == ("abcDEF-_0123", 42, None)


@pytest.mark.parametrize("newsletter", [None, 1, 2])
@given(st.data())
def test_a_forged_unsubscribe_address_is_refused(newsletter, data) -> None:
    address = leave_address("leave@example.org", "abcDEF-_0123", 42, KEY, newsletter) or ""
    at = data.draw(st.integers(address.index("+") + 1, address.index("@") - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))

    forged = address[:at] + letter + address[at + 1 :]

    assert (parse_leave_address(forged, KEY) is None) == (forged != address)
    assert parse_leave_address(address, OLD) is None


def test_an_unsubscribe_address_fits_into_64_octets() -> None:
    longest = "l" * LONGEST_LEAVE_MAILBOX

    address = leave_address(f"{longest}@example.org", "abcDEF-_0123", 2**48 - 1, KEY) or ""

    assert len(address.partition("@")[0]) == 64
    assert leave_address(f"{longest}l@example.org", "abcDEF-_0123", 1, KEY) is None


@pytest.mark.parametrize(
    ("subscriber", "delivery", "newsletter"),
    [
        ("", 1, None),
        ("short", 1, None),
        ("abcDEF-_0123", 2**48, None),
        ("a" * 12, -1, None),
        ("a" * 12, 2**32, 2),
        ("a" * 12, 1, 2**16),
    ],
)
def test_ids_of_another_size_get_no_unsubscribe_address(subscriber, delivery, newsletter) -> None:
    assert leave_address("leave@example.org", subscriber, delivery, KEY, newsletter) is None


def test_a_return_path_unsubscribes_nobody() -> None:
    bounce = return_path(delivery_token("42", KEY), "example.org")
    leave = leave_address("leave@example.org", "abcDEF-_0123", 42, KEY) or ""

    assert parse_return_path(leave, [KEY]) is None
    assert parse_leave_address(bounce, KEY) is None


@pytest.mark.parametrize(
    "delivery_id", ["", "AbC", "a b", "a\r\nb", "a@b", "-a", "a" * (LONGEST_ID + 1), "ä"]
)
def test_an_id_that_would_not_survive_the_way_is_refused(delivery_id: str) -> None:
    with pytest.raises(ValueError, match="delivery id"):
        return_path(delivery_token(delivery_id, KEY), "example.org")


def test_an_empty_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match="key"):
        return_path(delivery_token("42", b""), "example.org")


@pytest.mark.parametrize(
    "shape", ["{}", "<{}.1773144000@example.org>", "{}@example.org", " <{}.1@x.example> "]
)
def test_a_message_id_or_a_header_of_ours_names_its_delivery(shape: str) -> None:
    token = delivery_token("4711", KEY)

    assert parse_delivery_token(shape.format(token), [OLD, KEY]) == "4711"
    assert parse_delivery_token(shape.format(token.upper()), [KEY]) == "4711"
    assert parse_delivery_token(shape.format(delivery_token("4711", OLD)), [KEY]) is None


@pytest.mark.parametrize("value", ["", "b-1", "<d1.17@example.org>", "b-1-" + 16 * "a" + ".x", "b" * 10_000])
def test_what_is_no_token_of_ours_names_nothing(value: str) -> None:
    assert parse_delivery_token(value, [KEY]) is None
