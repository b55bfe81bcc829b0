"""Store renditions: one row for each selection of an issue's releases."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter.models import Delivery, IssueRelease, Rendition, insert_new, rows_as_table
from newsletter.models.rendition_key import read_key, release_ids

# Keys looked up by one statement.
LOOKED_UP_AT_ONCE = 500


def make_renditions(session: Session, issue_id: int, keys: Sequence[str]) -> Mapping[str, int]:
    """Return the id of each key's rendition, and create those that are missing. Commits nothing."""
    if not keys:
        return {}
    rows = [{"issue_id": issue_id, "key_hash": _hash(key), "key": key} for key in keys]
    made = insert_new(session, Rendition).returning(Rendition.key, Rendition.id)
    found = {key: rendition_id for key, rendition_id in session.execute(made, rows)}
    missing = [key for key in keys if key not in found]
    for at in range(0, len(missing), LOOKED_UP_AT_ONCE):
        part = [_hash(key) for key in missing[at : at + LOOKED_UP_AT_ONCE]]
        rest = select(Rendition.key, Rendition.id).where(
            Rendition.issue_id == issue_id, Rendition.key_hash.in_(part)
        )
        found |= {key: rendition_id for key, rendition_id in session.execute(rest)}
    brought = {each for key in keys for each in release_ids(read_key(key))}
    session.execute(
        insert_new(session, IssueRelease),
        [{"issue_id": issue_id, "release_id": each} for each in sorted(brought)],
    )
    return found


def store_renditions(session: Session, issue_id: int, keys: Mapping[int, str]) -> None:
    """Set the renditions of deliveries of an issue; `keys` is by delivery id. Commits nothing."""
    if not keys:
        return
    made = make_renditions(session, issue_id, sorted(set(keys.values())))
    rows = [(delivery_id, made[key]) for delivery_id, key in keys.items()]
    given = rows_as_table(session, {"delivery_id": int, "rendition_id": int}, rows)
    session.execute(
        update(Delivery)
        .where(Delivery.id == given.c.delivery_id)
        .values(rendition_id=given.c.rendition_id)
        .execution_options(synchronize_session=False)
    )


def _hash(key: str) -> str:
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
