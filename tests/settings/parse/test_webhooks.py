"""Parsers for topics, keys and secrets of webhooks. No message shows a part of a key."""

from __future__ import annotations

import base64

import pytest

from newsletter.settings.parse.webhooks import (
    parse_given_keys,
    parse_public_keys,
    parse_signing_keys,
    parse_topics,
)

TOPIC = "arn:aws:sns:eu-west-1:123456789012:returned-mail"


def test_topics_are_names_of_amazons_topics():
    china = "arn:aws-cn:sns:cn-north-1:123456789012:mail"

    assert parse_topics(f"{TOPIC}, {china},{TOPIC}") == (TOPIC, china)


@pytest.mark.parametrize(
    "value",
    [
        "returned-mail",
        TOPIC + ":subscription",
        TOPIC.replace("sns", "sqs"),
        TOPIC.replace("eu-west-1", "evil.example/"),
        TOPIC.replace("eu-west-1", ""),
        TOPIC.replace("123456789012", "1"),
        TOPIC.replace("aws:", "aws-moon:"),
        f"{TOPIC}, x",
        " , ",
    ],
)
def test_what_is_no_topic_is_a_fault(value: str):
    with pytest.raises(ValueError):
        parse_topics(value)


def test_public_keys_are_base64():
    assert parse_public_keys("QUJD, REVG") == ("QUJD", "REVG")
    for value in ("QUJ", "QU JD", "-----BEGIN PUBLIC KEY-----", "é"):
        with pytest.raises(ValueError, match="base64"):
            parse_public_keys(value)


def test_a_providers_keys_have_some_length_and_no_spaces():
    assert parse_given_keys("0123456789abcdef0123, key-0123456789abcdef") == (
        "0123456789abcdef0123",
        "key-0123456789abcdef",
    )
    for value in ("0123456789abcdef012", "0123456789 abcdef0123", "0123456789abcdéf0123"):
        with pytest.raises(ValueError, match="20 characters") as caught:
            parse_given_keys(value)
        assert "0123" not in str(caught.value)


def test_signing_keys_are_text_or_base64():
    coded = "whsec_" + base64.b64encode(bytes(range(24))).decode()

    assert parse_signing_keys(f"{coded}, {'text' * 8}") == (bytes(range(24)), b"text" * 8)


@pytest.mark.parametrize(
    "value", ["short", "whsec_" + "?" * 40, "whsec_" + base64.b64encode(bytes(22)).decode()]
)
def test_a_weak_or_damaged_signing_key_is_a_fault(value: str):
    with pytest.raises(ValueError, match="key"):
        parse_signing_keys(value)
