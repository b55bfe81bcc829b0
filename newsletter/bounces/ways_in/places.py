"""Remember which messages of a mailbox were looked at. The caller commits."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from newsletter.models import MailboxMessage, MailboxPlace, insert_new

# A message that a limit stopped is read again. With more of them, reading waits.
MOST_LATER = 1_000
_AT_ONCE = 500


class Place(NamedTuple):
    """The row of a mailbox, and the UID up to which every message was looked at."""

    id: int
    mark: int


def find_place(session: Session, key: str, validity: int) -> Place:
    """Return how far a mailbox was read. With another `validity`, its UIDs are new: nothing was read."""
    session.execute(insert_new(session, MailboxPlace).values(key=key, validity=validity, mark=0))
    row = session.scalars(select(MailboxPlace).where(MailboxPlace.key == key)).one()
    if row.validity != validity:
        session.execute(delete(MailboxMessage).where(MailboxMessage.place_id == row.id))
        row.validity, row.mark = validity, 0
        session.flush()
    return Place(row.id, row.mark)


def move_mark(session: Session, place: Place, uid: int) -> Place:
    """Record that every message up to `uid` was looked at."""
    further = update(MailboxPlace).where(MailboxPlace.id == place.id, MailboxPlace.mark < uid)
    session.execute(further.values(mark=uid))
    return place._replace(mark=max(place.mark, uid))


def remember(session: Session, place: Place, uid: str, *, later: bool) -> None:
    """Record that a message is to be read again later, or not."""
    session.execute(insert_new(session, MailboxMessage).values(place_id=place.id, uid=uid, later=later))
    this = (MailboxMessage.place_id == place.id, MailboxMessage.uid == uid)
    session.execute(update(MailboxMessage).where(*this).values(later=later))


def forget(session: Session, place: Place, uids: Collection[str]) -> None:
    """Delete what is remembered about messages."""
    listed = list(uids)
    for start in range(0, len(listed), _AT_ONCE):
        some = listed[start : start + _AT_ONCE]
        these = (MailboxMessage.place_id == place.id, MailboxMessage.uid.in_(some))
        session.execute(delete(MailboxMessage).where(*these))


def remembered(session: Session, place: Place, *, later: bool) -> set[str]:
    """Return the UIDs of the messages that are remembered."""
    these = (MailboxMessage.place_id == place.id, MailboxMessage.later.is_(later))
    return set(session.scalars(select(MailboxMessage.uid).where(*these)))


def is_full(session: Session, place: Place) -> bool:
    """Return whether so many messages wait to be read again that no new ones are read."""
    waiting = select(func.count()).where(MailboxMessage.place_id == place.id, MailboxMessage.later.is_(True))
    return (session.scalar(waiting) or 0) >= MOST_LATER
