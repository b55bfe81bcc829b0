"""The hash chain through one person's entries in the consent ledger. Pure.

An entry is hashed together with the digest of the entry before it. It hashes the digest of its
`detail` (`detail_digest`) instead of the `detail` itself. So the details of an erased person can go,
and the chain still verifies. Entries of the older form have no such digest and hash `detail` itself.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from newsletter.models import ConsentEntry


def canonical_json(value: Any) -> bytes:
    """Return JSON that has one spelling: keys in order, no spaces, UTF-8 (RFC 8785, without its numbers)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def utc_text(moment: datetime) -> str:
    """Return a moment as text of one form: 2026-03-10T12:00:00.000000Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def digest_of(value: Any) -> str:
    """Return SHA-256, in hex, over a JSON value."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


@dataclass(frozen=True)
class Link:
    """One entry as JSON values, as a signed record holds it. `detail_digest` is None in the older form.

    The IP address is left out, so that it can go while the rest still verifies.
    """

    at: str
    act: str
    how: str
    wording_version: str
    wording_hash: str
    detail: dict[str, Any]
    detail_digest: str | None
    digest: str

    def expected_digest(self, previous: str, person: str) -> str:
        """Return what `digest` is when nothing was changed; `person` is a public id."""
        detail: Any = self.detail if self.detail_digest is None else self.detail_digest
        return digest_of(
            [
                previous, person, self.at, self.act, self.how,
                self.wording_version, self.wording_hash, detail,
            ]
        )  # fmt: skip


def link_of(entry: ConsentEntry) -> Link:
    """Return an entry of the database in the form that is hashed."""
    return Link(
        utc_text(entry.at),
        entry.act.value,
        entry.how,
        entry.wording_version,
        entry.wording_hash,
        entry.detail,
        entry.detail_digest,
        entry.digest,
    )


class Proof(enum.Enum):
    """What the digests of a chain prove.

    PARTLY: the person was erased, and entries of the older form lost the details that they hash.
    The digests after them still match.
    """

    WHOLE = "whole"
    PARTLY = "partly"
    BROKEN = "broken"


@dataclass(frozen=True)
class Chain:
    """What became of checking one person's entries; `broken_at` counts from 1.

    `count` is how many entries there are, `older` how many of them have the older form, and
    `last_digest` the digest of the last one ("" when there is none).
    """

    proof: Proof
    count: int
    older: int
    last_digest: str
    broken_at: int | None = None


def check_chain(person: str, links: Sequence[Link], *, erased: bool) -> Chain:
    """Check the entries of `person` (a public id), oldest first. `erased`: their details may be empty."""
    previous, proof = "", Proof.WHOLE
    older = sum(link.detail_digest is None for link in links)
    last = links[-1].digest if links else ""
    for number, link in enumerate(links, 1):
        found = _check_link(previous, person, link, erased=erased)
        # No entry of the older form is written after one of the newer form.
        if found is Proof.BROKEN or (link.detail_digest is None and number > older):
            return Chain(Proof.BROKEN, len(links), older, last, number)
        proof = Proof.PARTLY if found is Proof.PARTLY else proof
        previous = link.digest
    return Chain(proof, len(links), older, last)


def _check_link(previous: str, person: str, link: Link, *, erased: bool) -> Proof:
    emptied = erased and link.detail == {}
    if link.detail_digest is None:
        if link.expected_digest(previous, person) == link.digest:
            return Proof.WHOLE
        return Proof.PARTLY if emptied else Proof.BROKEN
    if link.expected_digest(previous, person) != link.digest:
        return Proof.BROKEN
    return Proof.WHOLE if emptied or digest_of(link.detail) == link.detail_digest else Proof.BROKEN


def proof_of(person: str, entries: Iterable[ConsentEntry], *, erased: bool = False) -> Proof:
    """Return what the digests of these entries of the database prove; the oldest comes first."""
    return check_chain(person, [link_of(entry) for entry in entries], erased=erased).proof
