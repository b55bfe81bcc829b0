"""Import a file of addresses into the suppression list, count what an import would do, and undo one.

The addresses are hashed while the file is read, and are stored nowhere.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import BinaryIO

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter import audit, suppression
from newsletter.errors import NotFound, StateConflict
from newsletter.models import SuppressionImport
from newsletter.subscribers.suppressions.addresses_in_file import Line, addresses_in
from newsletter.tokens import Tokens

AT_ONCE = 5_000
UNDONE_AT_ONCE = 1_000
# How many lines without an address are named.
MOST_NAMED = 20


@dataclass(frozen=True)
class Counted:
    """The lines so far. `known` were suppressed already, or are twice in the file.

    `unreadable` lines have no address, and `lines` are the numbers of the first of them. `import_id` is
    None if the import was only tried.
    """

    new: int = 0
    known: int = 0
    unreadable: int = 0
    lines: tuple[int, ...] = ()
    import_id: int | None = None

    def plus(self, new: int, known: int, unreadable: Sequence[Line]) -> Counted:
        """Return the sum with the counts of more lines."""
        named = (*self.lines, *(each.number for each in unreadable))[:MOST_NAMED]
        return Counted(
            self.new + new,
            self.known + known,
            self.unreadable + len(unreadable),
            named,
            self.import_id,
        )

    def in_words(self) -> str:
        """Return the counts as sentences."""
        begin = "Imported" if self.import_id else "Nothing has changed. The import would be"
        words = f"{begin}: {self.new:,} new, {self.known:,} suppressed already or twice in the file."
        if self.unreadable:
            lines = ", ".join(str(each) for each in self.lines)
            more = " and others" if self.unreadable > len(self.lines) else ""
            words += f" Without an address: {self.unreadable:,} (line {lines}{more})."
        return words


def import_addresses(
    session: Session, tokens: Tokens, file: BinaryIO, actor: str, now: datetime
) -> Iterator[Counted]:
    """Suppress the addresses of a file, part by part; return the counts after each part. Commits nothing.

    The caller commits after each part, so other processes never wait for long. An import that is killed in
    between can be repeated or undone.
    """
    row = SuppressionImport(began_at=now, actor=actor)
    session.add(row)
    session.flush()
    import_id = row.id
    audit.record(session, actor, "suppressions.import", f"import {import_id}", now)
    counted = Counted(import_id=import_id)
    yield counted
    for keys, unreadable in _parts(file):
        new = suppression.add_imported(session, tokens, keys, import_id, actor, now)
        counted = counted.plus(new, len(keys) - new, unreadable)
        mine = update(SuppressionImport).where(SuppressionImport.id == import_id)
        session.execute(
            mine.values(
                new=counted.new, known=counted.known, unreadable=counted.unreadable
            ).execution_options(synchronize_session=False)
        )
        yield counted


def try_import(session: Session, tokens: Tokens, file: BinaryIO) -> Iterator[Counted]:
    """Yield the counts that an import would have, after each part of the file. Changes nothing."""
    counted = Counted()
    # The hashes seen so far are on disk if they are many. SQLite deletes this database by itself.
    with closing(sqlite3.connect("")) as seen:
        seen.execute("CREATE TABLE seen (address_hash TEXT PRIMARY KEY) WITHOUT ROWID")
        for keys, unreadable in _parts(file):
            hashes = {suppression.suppression_hash(tokens, key) for key in keys}
            fresh = hashes - suppression.suppressed_among(session, sorted(hashes))
            before = seen.total_changes
            rows = [(each,) for each in sorted(fresh)]
            seen.executemany("INSERT OR IGNORE INTO seen VALUES (?)", rows)
            new = seen.total_changes - before
            counted = counted.plus(new, len(keys) - new, unreadable)
            yield counted


def _parts(file: BinaryIO) -> Iterator[tuple[list[str], list[Line]]]:
    lines = addresses_in(file)
    while part := list(islice(lines, AT_ONCE)):
        yield (
            [each.email_key for each in part if each.email_key is not None],
            [each for each in part if each.email_key is None],
        )


def list_imports(session: Session, limit: int = 20) -> Sequence[SuppressionImport]:
    """Return the newest imports."""
    return session.scalars(select(SuppressionImport).order_by(SuppressionImport.id.desc()).limit(limit)).all()


def undo_import(session: Session, import_id: int, actor: str, now: datetime, newest: int) -> Iterator[int]:
    """Lift what came with an import, part by part; return the number so far. Commits nothing.

    The caller commits after each part. People still get the `newest` releases of each topic, as after every
    lifted suppression. Raises NotFound, and StateConflict if it was undone before.
    """
    found = session.scalars(
        select(SuppressionImport).where(SuppressionImport.id == import_id).with_for_update()
    ).one_or_none()
    if found is None:
        raise NotFound(f"there is no import {import_id}")
    if found.undone_at is not None:
        raise StateConflict("This import was undone before.")
    count = 0
    while lifted := suppression.lift_imported(session, import_id, actor, now, newest, UNDONE_AT_ONCE):
        count += lifted
        yield count
    mine = update(SuppressionImport).where(SuppressionImport.id == import_id)
    session.execute(mine.values(undone_at=now).execution_options(synchronize_session=False))
    yield count
