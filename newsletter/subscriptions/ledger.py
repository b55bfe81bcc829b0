"""The chain through one person's entries in the ledger of consent. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from newsletter.models import ConsentEntry


def canonical_json(value: Any) -> bytes:
    """Return JSON that has one spelling: keys in order, no spaces, UTF-8 (RFC 8785, without its numbers)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def utc_text(moment: datetime) -> str:
    """Return a moment as text of one form: 2026-03-10T12:00:00.000000Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def entry_digest(
    previous: str,
    person: str,
    at: datetime,
    act: str,
    how: str,
    wording_version: str,
    wording_hash: str,
    detail: dict[str, Any],
) -> str:
    """Return SHA-256, in hex, over an entry of `person` (a public id) and the digest before it, or "".

    The IP address is left out, so that it can go while the rest still proves itself.
    """
    return digest_of([previous, person, utc_text(at), act, how, wording_version, wording_hash, detail])


def digest_of(fields: Sequence[Any]) -> str:
    """Return SHA-256, in hex, over these JSON values, in this order (see `entry_digest`)."""
    return hashlib.sha256(canonical_json(fields)).hexdigest()


def chain_is_whole(person: str, entries: Iterable[ConsentEntry]) -> bool:
    """Return whether every entry of `person`, oldest first, is as it was written and none is missing between.

    The details of somebody who was erased are gone, and with them this proof: False.
    """
    previous = ""
    for entry in entries:
        expected = entry_digest(
            previous,
            person,
            entry.at,
            entry.act.value,
            entry.how,
            entry.wording_version,
            entry.wording_hash,
            entry.detail,
        )
        if entry.digest != expected:
            return False
        previous = entry.digest
    return True
