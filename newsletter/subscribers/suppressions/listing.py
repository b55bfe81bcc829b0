"""The list of suppressions in slices, newest first, with the address while a subscriber's row has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import Session

from newsletter.errors import NotFound
from newsletter.models import Subscriber, Suppression, SuppressionReason
from newsletter.suppression import suppression_hash
from newsletter.tokens import Tokens

PER_SLICE = 50
EXPORTED_AT_ONCE = 2_000


@dataclass(frozen=True)
class Filter:
    """Which suppressions: of one reason, and from `since` to `until`, both days included, in UTC."""

    reason: SuppressionReason | None = None
    since: date | None = None
    until: date | None = None


class Listed(NamedTuple):
    """One suppression. `email` and `public_id` are None if no subscriber's row has the address."""

    number: int
    reason: SuppressionReason
    since: datetime
    import_id: int | None
    email: str | None
    public_id: str | None


@dataclass(frozen=True)
class Slice:
    """Part of the list. `newer` and `older` lead to the slices beside it; None where the list ends."""

    rows: Sequence[Listed]
    newer: str | None
    older: str | None


def count_by_reason(session: Session) -> Mapping[SuppressionReason, int]:
    """Return the number of suppressions of each reason, zero included."""
    counted = session.execute(select(Suppression.reason, func.count()).group_by(Suppression.reason))
    return dict.fromkeys(SuppressionReason, 0) | {reason: number for reason, number in counted}


def list_suppressions(
    session: Session, tokens: Tokens, wanted: Filter, *, older_than: str = "", newer_than: str = ""
) -> Slice:
    """Return one slice of the list. It begins at a place in an index, however long the list is.

    `older_than` and `newer_than` are places that an earlier slice named. One that is damaged is ignored.
    """
    after, before = _read_place(older_than), _read_place(newer_than)
    backwards = before is not None and after is None
    found: list[Row[*tuple[Any, ...]]] = []
    for query in _beyond(_query(wanted), before if backwards else after, backwards=backwards):
        found += session.execute(query.limit(PER_SLICE + 1 - len(found))).all()
    has_more, found = len(found) > PER_SLICE, found[:PER_SLICE]
    rows = [_listed(tokens, row) for row in (reversed(found) if backwards else found)]
    return Slice(
        rows,
        newer=_place(rows[0]) if rows and (has_more if backwards else after is not None) else None,
        older=_place(rows[-1]) if rows and (has_more or backwards) else None,
    )


def _beyond(
    query: Select[*tuple[Any, ...]], place: tuple[datetime, int] | None, *, backwards: bool
) -> Sequence[Select[*tuple[Any, ...]]]:
    """Return the queries for the rows beyond a place, in their order: those of its instant, then the others.

    An import adds a million rows of one instant. With one comparison of both columns, SQLite would read all
    of them up to the place.
    """
    since, number = Suppression.since, Suppression.id
    order = (since, number) if backwards else (since.desc(), number.desc())
    if place is None:
        return [query.order_by(*order)]
    at, last = place
    same = query.where(since == at, number > last if backwards else number < last)
    others = query.where(since > at if backwards else since < at)
    return [same.order_by(order[1]), others.order_by(*order)]


def find_suppression(session: Session, tokens: Tokens, number: int) -> Listed:
    """Return one suppression. Raises NotFound."""
    found = session.execute(_query(Filter()).where(Suppression.id == number)).one_or_none()
    if found is None:
        raise NotFound("this suppression was lifted, or never existed")
    return _listed(tokens, found)


def known_suppressions(session: Session, tokens: Tokens, wanted: Filter) -> Iterator[Listed]:
    """Return the suppressions whose address is known, oldest first. It reads them in small parts."""
    last = 0
    query = _query(wanted).where(Suppression.subscriber_id.is_not(None)).order_by(Suppression.id)
    while found := session.execute(query.where(Suppression.id > last).limit(EXPORTED_AT_ONCE)).all():
        for row in found:
            listed = _listed(tokens, row)
            last = listed.number
            if listed.email is not None:
                yield listed


def _query(wanted: Filter) -> Select[*tuple[Any, ...]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.reason is not None:
        conditions.append(Suppression.reason == wanted.reason)
    if wanted.since is not None:
        conditions.append(Suppression.since >= _start(wanted.since))
    if wanted.until is not None and wanted.until < date.max:
        conditions.append(Suppression.since < _start(wanted.until + timedelta(days=1)))
    return (
        select(
            Suppression.id, Suppression.reason, Suppression.since, Suppression.import_id,
            Suppression.address_hash, Subscriber.email, Subscriber.email_key, Subscriber.public_id,
        )
        .outerjoin(Subscriber, Subscriber.id == Suppression.subscriber_id)
        .where(*conditions)
    )  # fmt: skip


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _listed(tokens: Tokens, row: Row[*tuple[Any, ...]]) -> Listed:
    number, reason, since, import_id, mark, email, email_key, public_id = row
    # The person may have another address by now.
    theirs = isinstance(email_key, str) and suppression_hash(tokens, email_key) == mark
    return Listed(number, reason, since, import_id, email if theirs else None, public_id if theirs else None)


def _place(row: Listed) -> str:
    return f"{round(row.since.timestamp() * 1_000_000)}.{row.number}"


def _read_place(text: str) -> tuple[datetime, int] | None:
    at, dot, number = text.partition(".")
    if not dot or not all(each.isascii() and each.isdigit() and len(each) < 18 for each in (at, number)):
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(at)), int(number)
