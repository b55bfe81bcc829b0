"""The keys that identify a release in every source, and how a transaction takes them for its release."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm import Session

from newsletter.models import ReleaseKey, insert_new


class KeyTaken(Exception):
    """Another release has one of the keys. Roll the savepoint back and look again."""


def take_keys(session: Session, release_id: int, keys: Collection[str]) -> None:
    """Give a release its keys. Raises KeyTaken if another release has one of them.

    On PostgreSQL, this waits for a transaction that takes the same key. So it comes before sequences are
    taken: otherwise two transactions could wait for each other.
    """
    if not keys:
        return
    rows = [{"key": key, "release_id": release_id} for key in sorted(set(keys))]
    fresh = insert_new(session, ReleaseKey).values(rows).returning(ReleaseKey.key)
    if len(session.scalars(fresh).all()) < len(rows):
        raise KeyTaken("another release has this guid or address")
