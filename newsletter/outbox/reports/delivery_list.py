"""List the deliveries of an issue, one line each, as rows or as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.models import Delivery, DeliveryState, Subscriber

# How many rows are read at once, so that a million lines need little memory.
LINES_AT_ONCE = 2000

# If a cell begins with one of these, a spreadsheet takes it for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class DeliveryLine(NamedTuple):
    """One delivery; the fields are the columns of the CSV file."""

    reader: str
    address: str
    state: str
    attempts: int
    settled_at: datetime | None
    reply_code: int | None
    status: str
    reply: str


def list_deliveries(
    session: Session, issue_id: int, state: DeliveryState | None = None
) -> Iterator[DeliveryLine]:
    """Yield the deliveries of an issue, in one state or in all states, in the order they were made."""
    query = (
        select(
            Delivery.id, func.coalesce(Subscriber.public_id, ""),
            func.coalesce(Subscriber.email, Delivery.recipient, ""), Delivery.state, Delivery.attempt,
            Delivery.settled_at, Delivery.reply_code, func.coalesce(Delivery.status, ""),
            func.coalesce(Delivery.reply_text, ""),
        )
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(Delivery.issue_id == issue_id)
        .order_by(Delivery.id)
        .limit(LINES_AT_ONCE)
    )  # fmt: skip
    if state is not None:
        query = query.where(Delivery.state == state)
    last = 0
    while rows := session.execute(query.where(Delivery.id > last)).all():
        last = rows[-1][0]
        yield from (DeliveryLine._make(row[1:]) for row in rows)


def as_csv(lines: Iterable[DeliveryLine]) -> Iterator[str]:
    """Yield `lines` as CSV (RFC 4180) with a header, a line at a time.

    A cell that a spreadsheet would take for a formula gets a quote before it, because other people wrote the
    addresses and replies.
    """
    yield _csv_line(DeliveryLine._fields)
    for line in lines:
        settled = line.settled_at.isoformat(timespec="seconds") if line.settled_at else ""
        yield _csv_line(line._replace(settled_at=settled, reply_code=line.reply_code or ""))  # type: ignore[arg-type]


def _csv_line(cells: Iterable[object]) -> str:
    out = io.StringIO()
    safe = [f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell for cell in cells]
    csv.writer(out).writerow(safe)
    return out.getvalue()
