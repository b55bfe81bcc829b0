"""Parse the keys, secrets and topics of the webhooks. Error messages show no part of a key. Pure."""

from __future__ import annotations

import base64
import binascii
import re

from newsletter.settings.parse.common import split_list
from newsletter.settings.parse.general import parse_keys

# Account and name of a topic (Amazon's names of resources). The region tells the host that signs.
_TOPIC = re.compile(r"arn:aws(?:-cn|-us-gov)?:sns:[a-z0-9-]{3,32}:[0-9]{12}:[A-Za-z0-9_.-]{1,256}")
_GIVEN_KEY = re.compile(r"[!-~]{20,200}")
# The prefix of a secret in the specification "Standard Webhooks". The rest is base64.
CODED = "whsec_"
FEWEST_BYTES = 24


def parse_topics(value: str) -> tuple[str, ...]:
    """Return the names (ARN) of Amazon SNS topics."""
    for part in split_list(value):
        if not _TOPIC.fullmatch(part):
            raise ValueError("is not a topic such as arn:aws:sns:eu-west-1:123456789012:returned-mail")
    return tuple(dict.fromkeys(split_list(value)))


def parse_public_keys(value: str) -> tuple[str, ...]:
    """Return public keys in base64, as a provider shows them (DER, SubjectPublicKeyInfo)."""
    for part in split_list(value):
        try:
            base64.b64decode(part, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("is not a public key in base64, one line without BEGIN and END") from None
    return tuple(dict.fromkeys(split_list(value)))


def parse_given_keys(value: str) -> tuple[str, ...]:
    """Return keys that a provider made."""
    if not all(_GIVEN_KEY.fullmatch(part) for part in split_list(value)):
        raise ValueError("has a key that is not 20 characters or more without spaces")
    return tuple(dict.fromkeys(split_list(value)))


def parse_signing_keys(value: str) -> tuple[bytes, ...]:
    """Return keys as bytes: what follows `whsec_` is base64, other keys are text."""
    return tuple(_signing_key(part) for part in parse_keys(value))


def _signing_key(part: str) -> bytes:
    if not part.startswith(CODED):
        return part.encode()
    try:
        key = base64.b64decode(part.removeprefix(CODED), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"has a key whose text after {CODED} is not base64") from None
    if len(key) < FEWEST_BYTES:
        raise ValueError(f"has a key of fewer than {FEWEST_BYTES} bytes")
    return key
