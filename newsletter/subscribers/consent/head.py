"""The signed head of the consent ledger: for each person, how many entries there are and the last digest.

An attacker who can write to the database can compute a new chain, cut off its end, or remove a person. The
head reveals that, because it lies outside the database and is signed with a key that is not in the database.
Entries that were added after the head was made are checked only by their own digests.

The head is a text file. The first line has its kind and the time when it was made. Then each person has one
line, ordered by row id. The last line has the signature.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import InputError
from newsletter.models import ConsentAct, ConsentEntry, Subscriber
from newsletter.settings import variable
from newsletter.subscribers.consent.chain import Chain, Link, Proof, canonical_json, check_chain, utc_text
from newsletter.subscribers.consent.signature import sign_value, value_is_signed
from newsletter.tokens import Tokens

KIND = "newsletter consent head"
VERSION = 1
FILE_NAME = "consent-head.jsonl"
# How many people one query reads. Each query has its own transaction, because entries are only added.
AT_ONCE = 500
# More faults than this are counted, but not listed.
MOST_LISTED = 1000


@dataclass(frozen=True)
class PersonChain:
    """One person's chain in the database. `digests` has the digests of all entries, oldest first."""

    row: int
    public_id: str
    chain: Chain
    digests: tuple[str, ...] = field(repr=False)
    older_at: tuple[bool, ...] = field(repr=False)
    erasure_is_missing: bool


@dataclass(frozen=True)
class Known:
    """One person's line in the head."""

    row: int
    public_id: str
    count: int
    older: int
    last_digest: str


@dataclass(frozen=True)
class Fault:
    """One fault in the entries of one person."""

    public_id: str
    what: str


@dataclass
class Report:
    """The result of a check. `head_made_at` is None if there was no head to compare with.

    `partly`: how many erased people have entries whose details are deleted, so that their digests cannot be
    computed again. `newer`: how many people were added after the head was made. `found`: how many people of
    the head are in the database, with the same public id.
    """

    head_made_at: str | None = None
    people: int = 0
    entries: int = 0
    partly: int = 0
    newer: int = 0
    found: int = 0
    fault_count: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def is_of_other_database(self) -> bool:
        """Whether nobody of the head is in the database."""
        return bool(self.fault_count) and self.head_made_at is not None and not self.found

    def add(self, public_id: str, what: str) -> None:
        """Count a fault, and list it if there are not too many."""
        self.fault_count += 1
        if len(self.faults) < MOST_LISTED:
            self.faults.append(Fault(public_id, what))


class Stopped(Exception):
    """The process was asked to stop, so no head was written."""


def verify_all(open_session: Callable[[], Session], tokens: Tokens, head: IO[bytes] | None) -> Report:
    """Check the chain of every person in the database, and compare it with `head` if there is one.

    Raises InputError if this installation did not sign the head.
    """
    return _check(open_session, _HeadReader(tokens, head) if head else None, None)


def renew_head(
    open_session: Callable[[], Session],
    tokens: Tokens,
    path: Path,
    now: datetime,
    stopping: Callable[[], bool] = lambda: False,
) -> Report:
    """Compare the ledger with the head at `path`, and write a new head there if there is no fault.

    If there is a fault, the old head stays, because it is the proof. Only the file's owner can read it.
    Raises InputError as `verify_all` does, and Stopped.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as fresh:
            report = _compare_and_write(open_session, tokens, path, _HeadWriter(tokens, fresh, now, stopping))
            fresh.flush()
            os.fsync(fresh.fileno())
        if not report.fault_count:
            Path(name).replace(path)
        return report
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def write_head(open_session: Callable[[], Session], tokens: Tokens, out: IO[bytes], now: datetime) -> Report:
    """Write a head of the present database to `out`; return the faults in the chains themselves."""
    writer = _HeadWriter(tokens, out, now, lambda: False)
    report = _check(open_session, None, writer)
    writer.finish()
    return report


def _compare_and_write(
    open_session: Callable[[], Session], tokens: Tokens, path: Path, writer: _HeadWriter
) -> Report:
    try:
        with path.open("rb") as head:
            report = _check(open_session, _HeadReader(tokens, head), writer)
    except FileNotFoundError:
        report = _check(open_session, None, writer)
    writer.finish()
    return report


def _check(
    open_session: Callable[[], Session], head: _HeadReader | None, writer: _HeadWriter | None
) -> Report:
    report = Report(head_made_at=head.made_at if head else None)
    known = iter(head.lines()) if head else iter(())
    expected = next(known, None)
    for person in _everybody(open_session):
        while expected is not None and expected.row < person.row:
            report.add(expected.public_id, "The person is missing.")
            expected = next(known, None)
        if expected is not None and expected.row == person.row:
            _compare(report, expected, person)
            expected = next(known, None)
        elif head is not None:
            report.newer += 1
        _look_at(report, person)
        if writer is not None:
            writer.add(person)
    while expected is not None:
        report.add(expected.public_id, "The person is missing.")
        expected = next(known, None)
    return report


def _look_at(report: Report, person: PersonChain) -> None:
    report.people += 1
    report.entries += person.chain.count
    report.partly += person.chain.proof is Proof.PARTLY
    if person.chain.broken_at is not None:
        report.add(
            person.public_id,
            f"Entry {person.chain.broken_at} was changed, or the entry before it was.",
        )
    if person.erasure_is_missing:
        report.add(person.public_id, "The person is marked as erased, but the ledger has no entry about it.")


def _compare(report: Report, known: Known, person: PersonChain) -> None:
    if known.public_id != person.public_id:
        report.add(known.public_id, f"The row now has another public id: {person.public_id}.")
        return
    report.found += 1
    if person.chain.count < known.count:
        missing = known.count - person.chain.count
        report.add(person.public_id, f"The newest entries are missing: {missing} of {known.count}.")
    elif known.count and person.digests[known.count - 1] != known.last_digest:
        report.add(person.public_id, f"Entry {known.count} is not the same as when the head was made.")
    elif sum(person.older_at[: known.count]) != known.older:
        report.add(person.public_id, "Entries have lost the digest of their details.")


def _everybody(open_session: Callable[[], Session]) -> Iterator[PersonChain]:
    last = 0
    while True:
        with open_session() as session:
            people = session.execute(
                select(Subscriber.id, Subscriber.public_id, Subscriber.erased_at)
                .where(Subscriber.id > last)
                .order_by(Subscriber.id)
                .limit(AT_ONCE)
            ).all()
            entries = _entries_between(session, people[0].id, people[-1].id) if people else {}
        if not people:
            return
        for row, public_id, erased_at in people:
            yield _person_chain(row, public_id, erased_at is not None, entries.get(row, []))
        last = people[-1].id


def _entries_between(session: Session, first: int, last: int) -> dict[int, list[Link]]:
    columns = (
        ConsentEntry.subscriber_id, ConsentEntry.at, ConsentEntry.act, ConsentEntry.how,
        ConsentEntry.wording_version, ConsentEntry.wording_hash, ConsentEntry.detail,
        ConsentEntry.detail_digest, ConsentEntry.digest,
    )  # fmt: skip
    wanted = select(*columns).where(ConsentEntry.subscriber_id.between(first, last))
    found: dict[int, list[Link]] = {}
    for row, at, act, how, version, text_hash, detail, detail_digest, digest in session.execute(
        wanted.order_by(ConsentEntry.subscriber_id, ConsentEntry.id)
    ):
        link = Link(utc_text(at), act.value, how, version, text_hash, detail, detail_digest, digest)
        found.setdefault(row, []).append(link)
    return found


def _person_chain(row: int, public_id: str, erased: bool, links: list[Link]) -> PersonChain:
    told = any(link.act == ConsentAct.ERASED.value for link in links)
    return PersonChain(
        row,
        public_id,
        check_chain(public_id, links, erased=erased),
        tuple(link.digest for link in links),
        tuple(link.detail_digest is None for link in links),
        erased and not told,
    )


class _HeadWriter:
    def __init__(self, tokens: Tokens, out: IO[bytes], now: datetime, stopping: Callable[[], bool]) -> None:
        self._tokens, self._out, self._stopping = tokens, out, stopping
        self._hash, self._people, self._entries = hashlib.sha256(), 0, 0
        self._write({"kind": KIND, "version": VERSION, "made_at": utc_text(now)})

    def add(self, person: PersonChain) -> None:
        if self._people % AT_ONCE == 0 and self._stopping():
            raise Stopped
        chain = person.chain
        self._write([person.row, person.public_id, chain.count, chain.older, chain.last_digest])
        self._people += 1
        self._entries += chain.count

    def finish(self) -> None:
        signed = {
            "kind": KIND, "people": self._people, "entries": self._entries, "sha256": self._hash.hexdigest(),
        }  # fmt: skip
        self._write({**signed, "signature": sign_value(self._tokens, signed)})

    def _write(self, value: Any) -> None:
        line = canonical_json(value) + b"\n"
        self._hash.update(line)
        self._out.write(line)


class _HeadReader:
    """Reads a head once from start to end. The signature is in the last line and is checked there."""

    def __init__(self, tokens: Tokens, lines: Iterable[bytes]) -> None:
        self._tokens, self._lines, self._hash = tokens, iter(lines), hashlib.sha256()
        self._people, self._line = 0, 0
        first = next(self._lines, None)
        if first is None:
            raise _no_head("it is empty")
        self.made_at = self._read_first(self._parse(first))

    def _read_first(self, first: Any) -> str:
        if not isinstance(first, dict):
            raise _no_head("its first line is not a JSON object")
        for name in ("kind", "version", "made_at"):
            if name not in first:
                raise _no_head(f"its first line has no “{name}”")
        if first["kind"] != KIND:
            raise _no_head(f"its “kind” is not “{KIND}”")
        if first["version"] != VERSION:
            raise InputError(f"This program reads heads of version {VERSION}. This one has another version.")
        return str(first["made_at"])

    def lines(self) -> Iterator[Known]:
        """Yield each person's line. Raises InputError if the head is invalid, perhaps only after the last."""
        last = 0
        for line in self._lines:
            before = self._hash.hexdigest()
            match self._parse(line):
                case [int(row), str(public_id), int(count), int(older), str(digest)] if row > last:
                    self._people, last = self._people + 1, row
                    yield Known(row, public_id, count, older, digest)
                case [int(row), str(), int(), int(), str()]:
                    raise InputError(f"Line {self._line} of the head is in the wrong place: row {row}.")
                case {"signature": str(signature), **signed}:
                    self._check_end({str(name): value for name, value in signed.items()}, before, signature)
                    return
                case {}:
                    raise InputError(f"Line {self._line} of the head has no “signature”.")
                case _:
                    raise InputError(
                        f"Line {self._line} of the head is not a person's: "
                        "row, public id, number of entries, number of older ones, last digest."
                    )
        raise InputError("The head of the consent ledger is incomplete: its last line is missing.")

    def _parse(self, line: bytes) -> Any:
        self._hash.update(line)
        self._line += 1
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as fault:
            raise _no_head(f"its line {self._line} is not JSON") from fault

    def _check_end(self, signed: dict[str, Any], sha256: str, signature: str) -> None:
        for name in ("kind", "people", "sha256"):
            if name not in signed:
                raise InputError(f"The last line of the head has no “{name}”.")
        # Anybody can compute these again, so a match proves nothing. A difference explains a bad signature.
        is_whole = signed["kind"] == KIND and (signed["sha256"], signed["people"]) == (sha256, self._people)
        if next(self._lines, None) is not None:
            raise InputError("The head was changed after it was signed: there are lines after its last one.")
        if not is_whole:
            raise InputError("The head was changed after it was signed: its lines do not fit its last line.")
        if not value_is_signed(self._tokens, signed, signature):
            raise InputError(
                "The head was signed with another key. It is from an installation with another "
                f"{variable('secret_keys')}, the oldest key was removed since, or the head is a forgery."
            )


def _no_head(why: str) -> InputError:
    return InputError(
        f"This is not the head of a consent ledger: {why}. `newsletter consent head` makes one."
    )
