"""Pause, resume and cancel an issue; decide on what is uncertain."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import NotFound, StateConflict
from newsletter.models import (
    Delivery,
    DeliveryState,
    Issue,
    IssueState,
    Subscription,
    SubscriptionState,
)


def find_issue(session: Session, public_id: str, *, lock: bool = True) -> Issue:
    """Return the issue, locked for a change unless it is only looked at. Raises NotFound."""
    chosen = select(Issue).where(Issue.public_id == public_id)
    issue = session.scalar(chosen.with_for_update() if lock else chosen)
    if issue is None:
        raise NotFound(f"there is no issue {public_id}")
    return issue


def pause(session: Session, issue: Issue, actor: str, now: datetime) -> None:
    """Stop offering an issue's messages to the relay; workers look every second. Commits nothing."""
    _move(issue, {IssueState.SENDING}, IssueState.PAUSED)
    audit.record(session, actor, "issue.pause", issue.public_id, now)


def resume(session: Session, issue: Issue, actor: str, now: datetime) -> None:
    """Go on with a paused issue. Commits nothing."""
    _move(issue, {IssueState.PAUSED}, IssueState.SENDING)
    issue.note = ""  # it said why it was paused
    audit.record(session, actor, "issue.resume", issue.public_id, now)


def cancel(session: Session, issue: Issue, actor: str, now: datetime) -> int:
    """End an issue; return how many deliveries were cancelled at once. Commits nothing.

    What a worker holds at this moment is cancelled when it comes back unsent.
    """
    _move(issue, {IssueState.PREPARING, IssueState.SENDING, IssueState.PAUSED}, IssueState.CANCELLED)
    issue.finished_at = now
    session.flush()
    count = drop_unsent(session, issue.id, now)
    audit.record(session, actor, "issue.cancel", issue.public_id, now, cancelled=count)
    return count


def drop_unsent(session: Session, issue_id: int, now: datetime) -> int:
    """Cancel what a cancelled issue has waiting; return how many. Commits nothing.

    `covered_to` of those readers goes back to where the issue began, so their next one holds
    what this would have; selection leaves out whatever another delivery brought them.
    """
    ended = session.scalars(
        update(Delivery)
        .where(
            Delivery.issue_id == issue_id,
            Delivery.state.in_((DeliveryState.QUEUED, DeliveryState.DEFERRED)),
        )
        .values(state=DeliveryState.CANCELLED, settled_at=now)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    count = len(list(ended))
    if count:
        _set_covered_back(session, issue_id)
    return count


def _set_covered_back(session: Session, issue_id: int) -> None:
    """Let the next issue look again at all that this one could have brought to those readers."""
    floor = select(Issue.from_sequence).where(Issue.id == issue_id).scalar_subquery()
    cancelled = select(Delivery.subscriber_id).where(
        Delivery.issue_id == issue_id, Delivery.state == DeliveryState.CANCELLED
    )
    # But not below what a subscription began with: that was never theirs.
    back = case((Subscription.started_sequence > floor, Subscription.started_sequence), else_=floor)
    session.execute(
        update(Subscription)
        .where(
            Subscription.state == SubscriptionState.ACTIVE,
            Subscription.subscriber_id.in_(cancelled),
            Subscription.covered_to > back,
        )
        .values(covered_to=back)
        .execution_options(synchronize_session=False)
    )


def resend_uncertain(session: Session, issue: Issue, actor: str, now: datetime) -> int:
    """Queue again what may or may not have arrived; return how many. Commits nothing.

    The same Message-ID goes out again, so a mail program may show such a repeat once.
    """
    count = _requeue(session, issue, DeliveryState.UNCERTAIN, now)
    audit.record(session, actor, "issue.resend_uncertain", issue.public_id, now, requeued=count)
    return count


def retry_rejected(session: Session, issue: Issue, actor: str, now: datetime) -> int:
    """Queue again what the relay refused, but for addresses known to be dead; return how many."""
    count = _requeue(session, issue, DeliveryState.REJECTED, now)
    audit.record(session, actor, "issue.retry_rejected", issue.public_id, now, requeued=count)
    return count


def _requeue(session: Session, issue: Issue, state: DeliveryState, now: datetime) -> int:
    if issue.state not in {IssueState.SENDING, IssueState.PAUSED, IssueState.FINISHED}:
        raise StateConflict(f"issue {issue.public_id} is {issue.state}, so nothing of it is sent again")
    if issue.emptied_at is not None:
        raise StateConflict(f"the texts of issue {issue.public_id} were deleted for their age")
    queued = session.scalars(
        update(Delivery)
        .where(Delivery.issue_id == issue.id, Delivery.state == state, Delivery.bounced_at.is_(None))
        .values(state=DeliveryState.QUEUED, due_at=now, settled_at=None)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    count = len(list(queued))
    if count and issue.state is IssueState.FINISHED:
        issue.state, issue.finished_at = IssueState.SENDING, None
    return count


def _move(issue: Issue, allowed: set[IssueState], to: IssueState) -> None:
    if issue.state not in allowed:
        raise StateConflict(f"issue {issue.public_id} is {issue.state} and cannot become {to}")
    issue.state = to
