"""Proof of work for sign-up forms: ALTCHA, version 2, with PBKDF2.

The server stores no challenge: each is signed, has its expiry time, and can be used once. The browser tries
counters until the derived key begins with the prefix of the challenge. That takes about 256 tries, or one
second. The check takes one try.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import secrets
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from newsletter.models import SpentChallenge, insert_new
from newsletter.tokens import Tokens

LIVES = timedelta(minutes=30)
ALGORITHM = "PBKDF2/SHA-256"
COST = 5_000
KEY_BYTES = 32
PREFIX = "00"

# A valid proof has about 500 characters.
LONGEST = 2_000
_LARGEST_COUNTER = 0xFFFFFFFF


def new_challenge(tokens: Tokens, now: datetime) -> dict[str, Any]:
    """Return a challenge in the widget's format: parameters and our signature."""
    parameters = {
        "algorithm": ALGORITHM,
        "cost": COST,
        "expiresAt": int((now + LIVES).timestamp()),
        "keyLength": KEY_BYTES,
        "keyPrefix": PREFIX,
        "nonce": secrets.token_hex(16),
        "salt": secrets.token_hex(16),
    }
    return {"parameters": parameters, "signature": _sign(tokens, parameters)}


def check_proof(session: Session, tokens: Tokens, proof: str, now: datetime) -> bool:
    """Return whether `proof` solves one of our challenges that has not expired and was not used before.

    If so, mark the challenge as used. Commits nothing.
    """
    found = _read(proof)
    if found is None:
        return False
    parameters, signature, counter = found
    # JSON can contain a lone surrogate, which cannot be encoded in UTF-8.
    if not hmac.compare_digest(_sign(tokens, parameters).encode(), signature.encode("utf-8", "replace")):
        return False
    # We signed it, so it has every field of a challenge.
    expires_at = datetime.fromtimestamp(parameters["expiresAt"], UTC)
    if now > expires_at or not _solves(parameters, counter):
        return False
    digest = hashlib.sha256(signature.encode()).hexdigest()
    spent = insert_new(session, SpentChallenge).values(digest=digest, expires_at=expires_at)
    return session.scalar(spent.returning(SpentChallenge.digest)) is not None


def _read(proof: str) -> tuple[dict[str, Any], str, int] | None:
    """Return parameters, signature and counter, or None. A visitor sent it, so it may have any form."""
    if not proof or len(proof) > LONGEST:
        return None
    try:
        given = json.loads(b64decode(proof, validate=True))
        challenge, solution = given["challenge"], given["solution"]
        parameters, signature, counter = challenge["parameters"], challenge["signature"], solution["counter"]
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(parameters, dict) or not isinstance(signature, str) or type(counter) is not int:
        return None
    return (parameters, signature, counter) if 0 <= counter <= _LARGEST_COUNTER else None


def _solves(parameters: Mapping[str, Any], counter: int) -> bool:
    password = bytes.fromhex(parameters["nonce"]) + counter.to_bytes(4, "big")
    salt = bytes.fromhex(parameters["salt"])
    key = hashlib.pbkdf2_hmac("sha256", password, salt, parameters["cost"], parameters["keyLength"])
    return key.hex().startswith(parameters["keyPrefix"])


def _sign(tokens: Tokens, parameters: Mapping[str, Any]) -> str:
    # Sorted keys and no spaces, so that the parameters that the widget sends back give the same bytes.
    text = json.dumps(parameters, sort_keys=True, separators=(",", ":"))
    return hmac.digest(tokens.derived_key("challenge"), text.encode(), "sha256").hex()
