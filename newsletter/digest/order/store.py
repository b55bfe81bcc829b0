"""Store manual orders, and give them to the issue that they are for."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from newsletter.errors import OrderChanged, StateConflict
from newsletter.models import Issue, IssueOrder, insert_new, target_of
from newsletter.models.hand_order import HandOrder, write_order

# Targets of issues that do not exist yet: the next one as it happens, and the next one that a person sends.
AS_IT_HAPPENS = "as-it-happens"
BY_HAND = "by-hand"


def find_row(session: Session, newsletter_id: int, target: str) -> IssueOrder | None:
    """Return the row of a target as it is now."""
    return session.get(IssueOrder, (newsletter_id, target), populate_existing=True)


def version_of(session: Session, newsletter_id: int, target: str) -> int:
    """Return the version of a target's order, 0 if nobody has changed it."""
    row = find_row(session, newsletter_id, target)
    return 0 if row is None else row.version


def require_version(session: Session, newsletter_id: int, target: str, version: int | None) -> None:
    """Raise StateConflict if the order is no longer the one that an approver saw. None: they saw none."""
    if version is not None and version != version_of(session, newsletter_id, target):
        raise StateConflict("The order of this issue has changed since you saw it. Look at it again.")


def store_order(
    session: Session,
    newsletter_id: int,
    target: str,
    order: HandOrder,
    version: int,
    *,
    actor: str,
    now: datetime,
) -> int:
    """Store an order in place of `version`; return its own version. Commits nothing.

    Raises OrderChanged if `version` is no longer the newest.
    """
    values = {"sections": write_order(order), "version": version + 1, "changed_by": actor, "changed_at": now}
    made = IssueOrder.version
    if version == 0:
        key = {"newsletter_id": newsletter_id, "target": target}
        written = session.scalar(insert_new(session, IssueOrder).values(**key, **values).returning(made))
    else:
        mine = update(IssueOrder).where(
            IssueOrder.newsletter_id == newsletter_id,
            IssueOrder.target == target,
            IssueOrder.version == version,
        )
        replaced = mine.values(values).returning(made).execution_options(synchronize_session=False)
        written = session.scalar(replaced)
    if written is None:
        raise OrderChanged(_who_changed(session, newsletter_id, target))
    return int(written)


def take_up(session: Session, issue: Issue, target: str) -> None:
    """Give a new issue the order of a target that named no issue yet. Commits nothing."""
    mine = update(IssueOrder).where(
        IssueOrder.newsletter_id == issue.newsletter_id, IssueOrder.target == target
    )
    session.execute(mine.values(target=target_of(issue)).execution_options(synchronize_session=False))


def store_for_test(session: Session, issue: Issue, order: HandOrder) -> None:
    """Give a test the order that its preview had. Commits nothing."""
    if order:
        store_order(
            session, issue.newsletter_id, target_of(issue), order, 0, actor=issue.created_by,
            now=issue.created_at,
        )  # fmt: skip


def forget(session: Session, newsletter_id: int, target: str) -> None:
    """Delete the order of an issue that is not made, because nobody would get it. Commits nothing."""
    session.execute(
        delete(IssueOrder).where(IssueOrder.newsletter_id == newsletter_id, IssueOrder.target == target)
    )


def _who_changed(session: Session, newsletter_id: int, target: str) -> str:
    changed = select(IssueOrder.changed_by).where(
        IssueOrder.newsletter_id == newsletter_id, IssueOrder.target == target
    )
    who = session.scalar(changed)
    if who is None:
        return "The issue of this order was opened meanwhile, so nothing was saved."
    return f"{who} changed this order meanwhile, so nothing was saved."
