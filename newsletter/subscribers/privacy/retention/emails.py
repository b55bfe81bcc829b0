"""Retention of emails: empty the contents of old emails and issues, and keep their delivery rows.

No delivery is deleted. Links and return paths contain its id, and `purpose_key` prevents a second email for
the same purpose. Deliveries and renditions also say which releases a subscriber was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, null, or_, select, update
from sqlalchemy.orm import Session

from newsletter.models import (
    IS_IDLE,
    UNSETTLED,
    Delivery,
    Fragment,
    Issue,
    IssueState,
    ReturnedMail,
    is_single,
)
from newsletter.subscribers.privacy.retention.policy import Policy
from newsletter.tokens import Tokens

_QUIETLY = {"synchronize_session": False}
# How many replies one transaction empties. A big issue has a million.
REPLIES = 1_000


def old_singles(policy: Policy) -> Select[Any] | None:
    """Return the ids of old single emails that still have contents, or None if they are kept forever."""
    if policy.mail_before is None:
        return None
    return select(Delivery.id).where(_is_old_single(policy))


def _is_old_single(policy: Policy) -> ColumnElement[bool]:
    return and_(
        is_single(),
        Delivery.state.not_in(UNSETTLED),
        Delivery.due_at < policy.mail_before,  # so that the database can use the index
        Delivery.settled_at < policy.mail_before,
        or_(
            Delivery.context.is_not(null()),
            Delivery.recipient.is_not(None),
            Delivery.reply_text.is_not(None),
        ),
    )


def empty(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """Delete the recipient, the context and the reply of these single emails. Commits nothing."""
    emptied = (
        update(Delivery)
        .where(Delivery.id.in_(ids), _is_old_single(policy))
        .values(context=null(), recipient=None, reply_text=None)
    )
    return session.connection().execute(emptied).rowcount


def old_reports(policy: Policy) -> Select[Any] | None:
    """Return the ids of old reports that still have their message, or None if they are kept forever."""
    if policy.mail_before is None:
        return None
    return select(ReturnedMail.id).where(
        ReturnedMail.raw.is_not(None), ReturnedMail.received_at < policy.mail_before
    )


def empty_reports(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """Delete the messages of these reports and the servers' words. What followed stays. Commits nothing."""
    emptied = update(ReturnedMail).where(ReturnedMail.id.in_(ids)).values(raw=None, words="")
    return session.connection().execute(emptied).rowcount


def idle_reports(policy: Policy) -> Select[Any] | None:
    """Return the ids of old reports that changed nothing, or None if they are kept forever."""
    if policy.mail_before is None:
        return None
    return select(ReturnedMail.id).where(IS_IDLE, ReturnedMail.received_at < policy.mail_before)


def delete_reports(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """Delete these reports. Commits nothing. If one comes again, it again changes nothing."""
    return session.connection().execute(delete(ReturnedMail).where(ReturnedMail.id.in_(ids))).rowcount


def issues_with_replies(policy: Policy) -> Select[Any] | None:
    """Return the ids of old issues whose deliveries still have relays' replies, or None if they are kept."""
    if policy.mail_before is None:
        return None
    ended = Issue.replies_emptied_at.is_(None)
    return select(Issue.id).where(ended, _is_over(), _ended_at() < policy.mail_before).order_by(Issue.id)


def old_replies(policy: Policy) -> Select[Any] | None:
    """Return the ids of the deliveries with such a reply."""
    issues = issues_with_replies(policy)
    if issues is None:
        return None
    return select(Delivery.id).where(
        Delivery.issue_id.in_(issues.order_by(None)), Delivery.reply_text.is_not(None)
    )


def empty_replies(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """Empty up to REPLIES replies of these issues. If none is left, mark the issues. Commits nothing."""
    some = (
        select(Delivery.id)
        .where(Delivery.issue_id.in_(ids), Delivery.reply_text.is_not(None), Delivery.state.not_in(UNSETTLED))
        .limit(REPLIES)
    )
    emptied = session.connection().execute(
        update(Delivery).where(Delivery.id.in_(some)).values(reply_text=None)
    )
    if emptied.rowcount < REPLIES:
        done = update(Issue).where(Issue.id.in_(ids)).values(replies_emptied_at=policy.now)
        session.execute(done.execution_options(**_QUIETLY))
    return emptied.rowcount


def old_issues(policy: Policy) -> Select[Any] | None:
    """Return the ids of old issues that need no longer be viewable, or None if they are kept forever."""
    if policy.issue_before is None:
        return None
    return select(Issue.id).where(_is_old_issue(policy)).order_by(Issue.id)


def _is_old_issue(policy: Policy) -> ColumnElement[bool]:
    return and_(Issue.emptied_at.is_(None), _is_over(), _ended_at() < policy.issue_before)


def empty_issues(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """Delete the fragments of these issues. Their renditions stay, which name the releases in them."""
    due = select(Issue.id).where(Issue.id.in_(ids), _is_old_issue(policy)).with_for_update()
    chosen = list(session.scalars(due))
    session.execute(delete(Fragment).where(Fragment.issue_id.in_(chosen)).execution_options(**_QUIETLY))
    done = update(Issue).where(Issue.id.in_(chosen)).values(emptied_at=policy.now)
    session.execute(done.execution_options(**_QUIETLY))
    return len(chosen)


def _is_over() -> ColumnElement[bool]:
    return or_(Issue.is_test, Issue.state.in_((IssueState.FINISHED, IssueState.CANCELLED)))


def _ended_at() -> ColumnElement[Any]:
    return func.coalesce(Issue.finished_at, Issue.created_at)
