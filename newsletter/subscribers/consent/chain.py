"""The hash chain through one person's entries in the consent ledger. Pure.

The digest of an entry covers the digest of the entry before it. It covers `detail_digest`, the digest of its
`detail`, instead of `detail` itself. So the details of an erased person can be deleted and the chain still
verifies. Entries of the older form have no `detail_digest`; their digest covers `detail` itself.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

from newsletter.models import ConsentEntry


def canonical_json(value: Any) -> bytes:
    """Return canonical JSON: sorted keys, no spaces, UTF-8 (RFC 8785).

    Raises ValueError for a value that has no such form, such as NaN or half of a surrogate pair.
    """
    return rfc8785.dumps(value)


def utc_text(moment: datetime) -> str:
    """Return a time as UTC text in one fixed format: 2026-03-10T12:00:00.000000Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a JSON value in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


@dataclass(frozen=True)
class Link:
    """One entry as JSON values, in the form of a signed record. `detail_digest` is None in the older form.

    The IP address is not part of it, so it can be deleted and the rest still verifies.
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
        """Return the digest that an unchanged entry has; `person` is a public id."""
        detail: Any = self.detail if self.detail_digest is None else self.detail_digest
        return digest_of(
            [
                previous, person, self.at, self.act, self.how,
                self.wording_version, self.wording_hash, detail,
            ]
        )  # fmt: skip


def link_of(entry: ConsentEntry) -> Link:
    """Return a database entry in the form that is hashed."""
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

    PARTLY: the person was erased, and entries of the older form lost the details that their digests cover.
    The digests after them still match.
    """

    WHOLE = "whole"
    PARTLY = "partly"
    BROKEN = "broken"


@dataclass(frozen=True)
class Chain:
    """The result of checking one person's entries. `broken_at` is the first bad entry, counted from 1.

    `count` is the number of entries, and `older` is how many of them have the older form. `last_digest` is
    the digest of the last entry, or "".
    """

    proof: Proof
    count: int
    older: int
    last_digest: str
    broken_at: int | None = None


def check_chain(person: str, links: Sequence[Link], *, erased: bool) -> Chain:
    """Check the entries of `person` (a public id), oldest first. With `erased`, details may be empty."""
    previous, proof = "", Proof.WHOLE
    older = sum(link.detail_digest is None for link in links)
    last = links[-1].digest if links else ""
    for number, link in enumerate(links, 1):
        found = _check_link(previous, person, link, erased=erased)
        # After an entry of the newer form, no entry of the older form is ever written.
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
    """Return what the digests of these database entries prove; the oldest is first."""
    return check_chain(person, [link_of(entry) for entry in entries], erased=erased).proof
