"""Sign records of consent and verify them: JSON with an Ed25519 signature. Pure.

The key is derived from the installation's oldest secret key, so all its hosts have the same key and no file
can be lost. The signature proves that a holder of that key made this record. It does not prove that an entry
was true when it was written, nor when the record was made. For both, the owner has to be trusted. The digests
chain a person's entries. With an earlier record, such as a subscriber's download of their own data, anybody
can see a later change.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from newsletter.errors import InputError
from newsletter.subscribers.consent.chain import Link, canonical_json, check_chain
from newsletter.tokens import Tokens

# Each record contains this text, because people read the file without this program.
MEANING = (
    "The signature covers the value of `record` as JSON with sorted keys, no spaces and UTF-8 "
    "(RFC 8785). It proves that the holder of the key at key_url made this record, and that nobody "
    "has changed it since. It does not prove that the entries are true, nor when they were made."
)


def sign_record(tokens: Tokens, record: dict[str, Any], key_url: str) -> dict[str, Any]:
    """Return `record` in an envelope with its signature and the URL of the public key."""
    key = _private_key(tokens)
    return {
        "record": record,
        "signature": {
            "algorithm": "Ed25519",
            "public_key": base64.b64encode(_raw(key.public_key())).decode(),
            "key_url": key_url,
            "value": sign_value(tokens, record),
            "meaning": MEANING,
        },
    }


def sign_value(tokens: Tokens, value: dict[str, Any]) -> str:
    """Return an Ed25519 signature over a JSON value, in base64."""
    return base64.b64encode(_private_key(tokens).sign(canonical_json(value))).decode()


def value_is_signed(tokens: Tokens, value: dict[str, Any], signature: str) -> bool:
    """Return whether `sign_value` of this installation made `signature` over `value`."""
    try:
        _private_key(tokens).public_key().verify(
            base64.b64decode(signature, validate=True), canonical_json(value)
        )
    except (InvalidSignature, ValueError, RecursionError):
        return False
    return True


def public_key_pem(tokens: Tokens) -> str:
    """Return the public key (PEM) that verifies this installation's records."""
    key = _private_key(tokens).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def check_record(text: str, key_pem: str) -> dict[str, Any]:
    """Verify a signed file with the public key `key_pem`, and return its record.

    Raises InputError that says what is wrong: not a signed record, another key, a change since, or a broken
    chain of entries.
    """
    record, signature = _parts_of(text)
    try:
        value = base64.b64decode(signature["value"], validate=True)
    except (ValueError, KeyError, TypeError) as fault:
        raise _no_record("its signature has no “value” in base64") from fault
    if signature.get("algorithm") != "Ed25519":
        raise _no_record("the “algorithm” of its signature is not Ed25519")
    try:
        key = load_pem_public_key(key_pem.encode())
    except ValueError as fault:
        raise InputError("The key is not a public key in PEM.") from fault
    if not isinstance(key, Ed25519PublicKey):
        raise InputError("The key is not an Ed25519 key.")
    try:
        key.verify(value, canonical_json(record))
    except (InvalidSignature, ValueError, RecursionError) as fault:
        raise InputError(_why_bad(key, signature)) from fault
    _check_chain(record)
    return record


def _parts_of(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the record and the signature of a signed file. Raises InputError."""
    try:
        signed = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise _no_record("it is not JSON") from fault
    found = signed if isinstance(signed, dict) else {}
    for name in ("record", "signature"):
        if not isinstance(found.get(name), dict):
            raise _no_record(f"it has no “{name}”")
    return found["record"], found["signature"]


def _no_record(why: str) -> InputError:
    return InputError(f"This is not a signed record of consent: {why}.")


def _why_bad(key: Ed25519PublicKey, signature: dict[str, Any]) -> str:
    """Return why a signature is bad. The key in the file proves nothing, but it may explain the fault."""
    if signature.get("public_key") == base64.b64encode(_raw(key)).decode():
        return "The record was changed after it was signed."
    return "The record was signed with another key than this one, or it was changed."


def _check_chain(record: dict[str, Any]) -> None:
    erased = bool(record.get("person", {}).get("erased_at"))
    chains: dict[str, list[tuple[int, Link]]] = {}
    for number, entry in enumerate(record.get("entries", []), 1):
        chains.setdefault(entry["person"], []).append((number, _link_of(entry)))
    for person, numbered in chains.items():
        chain = check_chain(person, [link for _, link in numbered], erased=erased)
        if chain.broken_at is not None:
            number = numbered[chain.broken_at - 1][0]
            raise InputError(
                f"The signature is valid, but entry {number} was changed, or the entry before it was."
            )


def _link_of(entry: dict[str, Any]) -> Link:
    return Link(
        entry["at"],
        entry["act"],
        entry["how"],
        entry["wording"],
        entry["wording_sha256"],
        entry["detail"],
        entry.get("detail_sha256"),  # records of version 1 have none
        entry["digest"],
    )


def _private_key(tokens: Tokens) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(tokens.derived_key("consent-record"))


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
