"""Tokens of signed links: each has one purpose and an age limit, and nobody can forge one."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import TokenError, TokenExpired, TokenInvalid
from newsletter.tokens import Purpose, Tokens, keyed_digest

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
OLD, NEW = "o" * 32, "n" * 32
TOKENS = Tokens([OLD])


def test_a_token_returns_its_payload():
    token = TOKENS.make(Purpose.CONFIRM, ["reader", 3], NOON)

    assert TOKENS.read(Purpose.CONFIRM, token, NOON) == ["reader", 3]


def test_a_token_for_one_purpose_is_invalid_for_every_other():
    token = TOKENS.make(Purpose.UNSUBSCRIBE, ["reader", 3], NOON)

    for purpose in set(Purpose) - {Purpose.UNSUBSCRIBE}:
        with pytest.raises(TokenInvalid):
            TOKENS.read(purpose, token, NOON)


def test_an_expired_confirmation_token_still_carries_its_payload():
    token = TOKENS.make(Purpose.CONFIRM, ["reader"], NOON)

    with pytest.raises(TokenExpired) as caught:
        TOKENS.read(Purpose.CONFIRM, token, NOON + timedelta(days=7, seconds=1))

    assert caught.value.payload == ["reader"]


def test_an_unsubscribe_link_works_after_twenty_years_and_a_new_key():
    token = TOKENS.make(Purpose.UNSUBSCRIBE, ["reader", 1], NOON)

    later = Tokens([OLD, NEW])

    assert later.read(Purpose.UNSUBSCRIBE, token, NOON + timedelta(days=7300)) == ["reader", 1]
    assert later.keyed_hash("suppression", "a@b") == TOKENS.keyed_hash("suppression", "a@b")


def test_the_newest_key_signs():
    token = Tokens([OLD, NEW]).make(Purpose.VIEW, ["reader"], NOON)

    assert Tokens([NEW]).read(Purpose.VIEW, token, NOON) == ["reader"]


@given(st.text(max_size=2000))
def test_any_forged_token_raises_a_token_error(text: str):
    with pytest.raises(TokenError):
        TOKENS.read(Purpose.CONFIRM, text, NOON)


@given(st.integers(min_value=0), st.characters())
def test_a_changed_character_makes_a_token_invalid(position: int, character: str):
    token = TOKENS.make(Purpose.PREFERENCES, ["reader", "fingerprint"], NOON)
    at = position % len(token)
    changed = token[:at] + character + token[at + 1 :]
    if changed == token:
        return

    # The last character of unpadded base64 has unused bits, so several characters can mean the same byte.
    try:
        payload = TOKENS.read(Purpose.PREFERENCES, changed, NOON)
    except TokenInvalid:
        return
    assert payload == ["reader", "fingerprint"]
    assert at == len(token) - 1


@given(st.sampled_from([".", ">", ")", " ", "&utm_source=news", "=", "\u3002", ">."]), st.text(max_size=20))
def test_characters_at_the_end_that_no_token_has_are_ignored(mark: str, more: str):
    token = TOKENS.make(Purpose.CONFIRM, ["reader", 3], NOON)

    assert TOKENS.read(Purpose.CONFIRM, token + mark + more, NOON) == ["reader", 3]


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=300))
def test_a_keyed_digest_is_the_hmac_of_rfc_2104(key, data):
    assert keyed_digest(key, data) == hmac.digest(key, data, "sha256")
