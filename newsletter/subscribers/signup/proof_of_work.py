"""Proof of work for sign-up forms: ALTCHA, version 2, with PBKDF2.

The server keeps nothing of a challenge: it is signed, carries its end, and counts once. The browser
looks for a counter whose derived key begins as the challenge says (some 256 tries), which makes
a second of work; to check it takes one try.
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

# A proof with everything that belongs to it has some 500 characters.
LONGEST = 2_000
_LARGEST_COUNTER = 0xFFFFFFFF


def new_challenge(tokens: Tokens, now: datetime) -> dict[str, Any]:
    """Return a challenge as the widget takes it: what to look for, and our signature."""
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
    """Return whether `proof` solves a challenge of ours that is not too old and was not handed in before.

    From then on it was. Commits nothing.
    """
    found = _read(proof)
    if found is None:
        return False
    parameters, signature, counter = found
    # JSON can spell half of a character, which has no UTF-8.
    if not hmac.compare_digest(_sign(tokens, parameters).encode(), signature.encode("utf-8", "replace")):
        return False
    # Signed by us, so it has everything that a challenge has.
    expires_at = datetime.fromtimestamp(parameters["expiresAt"], UTC)
    if now > expires_at or not _solves(parameters, counter):
        return False
    digest = hashlib.sha256(signature.encode()).hexdigest()
    spent = insert_new(session, SpentChallenge).values(digest=digest, expires_at=expires_at)
    return session.scalar(spent.returning(SpentChallenge.digest)) is not None


def _read(proof: str) -> tuple[dict[str, Any], str, int] | None:
    """Return parameters, signature and counter, or None: a stranger wrote it, so it may be anything."""
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
    # The names in their order and nothing between: what the widget sends back reads the same.
    text = json.dumps(parameters, sort_keys=True, separators=(",", ":"))
    return hmac.digest(tokens.derived_key("challenge"), text.encode(), "sha256").hex()
