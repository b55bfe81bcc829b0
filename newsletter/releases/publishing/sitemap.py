"""The releases of each part of the sitemap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.models import Release, public_now

# Each part has the releases of this many ids in a row, so that no new release moves another one to another
# part. The format allows 50,000 addresses in a file; a smaller part is made faster.
PART_IDS = 10_000


class Listed(NamedTuple):
    """A release in the sitemap: its id in URLs, and when it became public or was updated."""

    public_id: str
    changed_at: datetime


def count_parts(session: Session) -> int:
    """Return how many parts the sitemap has."""
    highest = session.scalar(select(func.max(Release.id))) or 0
    return -(-highest // PART_IDS)


def releases_of_part(session: Session, part: int, now: datetime) -> Sequence[Listed]:
    """Return the releases of a part, counted from 1, that are public now."""
    query = (
        select(
            Release.public_id, func.coalesce(Release.updated_at, Release.made_public_at, Release.created_at)
        )
        .where(Release.id > (part - 1) * PART_IDS, Release.id <= part * PART_IDS, public_now(now))
        .order_by(Release.id)
    )
    return [Listed(public_id, changed_at) for public_id, changed_at in session.execute(query)]
