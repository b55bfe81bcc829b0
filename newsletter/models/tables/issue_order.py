"""The table of manual orders: which releases stand in which section of an issue."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.models.base import Base, UTCDateTime
from newsletter.models.hand_order import HandOrder, read_order
from newsletter.models.tables.issue import Issue


class IssueOrder(Base):
    """The manual order of one issue (models/hand_order.py). Without sections, its order is automatic.

    `target` names the issue (digest/order/targets.py): the date of a scheduled one, its public id, or the
    next one of a kind. `version` counts the changes.
    """

    __tablename__ = "issue_order"

    newsletter_id: Mapped[int] = mapped_column(
        ForeignKey("newsletter.id"), primary_key=True, autoincrement=False
    )
    target: Mapped[str] = mapped_column(String(16), primary_key=True)
    sections: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    version: Mapped[int]
    changed_by: Mapped[str] = mapped_column(String(320))
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)


def target_of(issue: Issue) -> str:
    """Return the target of an issue that exists."""
    return issue.public_id if issue.slot is None else str(issue.slot)


def order_of_issue(session: Session, issue: Issue) -> HandOrder:
    """Return the manual order of an issue, empty if it has none."""
    return order_of_target(session, issue.newsletter_id, target_of(issue))


def order_of_target(session: Session, newsletter_id: int, target: str) -> HandOrder:
    """Return the manual order of a target, empty if it has none."""
    row = session.get(IssueOrder, (newsletter_id, target), populate_existing=True)
    return () if row is None else read_order(row.sections)
