"""The owner's decisions on refused addresses: list the questions, suppress addresses, or send again.

An answer locks issues first, then deliveries, then the notice, as outbox/refused/ask_owner.py does.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, false, func, select, update
from sqlalchemy.orm import Session

from newsletter import audit, notices
from newsletter.errors import NotFound, StateConflict
from newsletter.models import (
    BounceVerdict,
    Delivery,
    DeliveryState,
    Issue,
    IssueState,
    Notice,
    Subscriber,
    is_one_of,
)
from newsletter.notices import NoticeKind
from newsletter.outbox import control
from newsletter.outbox.refused.ask_owner import lock_issues
from newsletter.outbox.refused.held_domains import release_domain
from newsletter.outbox.refused.notices import QUESTIONS
from newsletter.suppression import add_bounced
from newsletter.tokens import Tokens


@dataclass(frozen=True)
class Refusal:
    """One refused address, with the values that the owner sees."""

    address: str
    issue: str
    issue_title: str
    reply: str
    at: datetime | None


@dataclass(frozen=True)
class Question:
    """A question to the owner: a notice, and the number of refusals that it is about now."""

    notice: Notice
    number: int


def questions(session: Session) -> list[Question]:
    """Return the questions that wait for the owner's answer, the newest first."""
    found = [each for kind in QUESTIONS for each in notices.open_notices(session, kind)]
    found.sort(key=lambda each: each.id, reverse=True)
    return [Question(notice, _count(session, notice)) for notice in found]


def find_question(session: Session, notice_id: int) -> Question:
    """Return one open question. Raises NotFound."""
    for each in questions(session):
        if each.notice.id == notice_id:
            return each
    raise NotFound(f"there is no open question {notice_id}")


def list_refusals(session: Session, question: Question, limit: int = 100) -> list[Refusal]:
    """Return up to `limit` refusals of a question, the oldest deliveries first."""
    query = (
        select(
            func.coalesce(Subscriber.email, "(erased)"), Issue.public_id, Issue.title, Delivery.reply_code,
            Delivery.reply_text, Delivery.settled_at,
        )
        .join(Issue, Issue.id == Delivery.issue_id)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(_about(question.notice))
        .order_by(Delivery.id)
        .limit(limit)
    )  # fmt: skip
    return [
        Refusal(address, public_id, title, f"{code or ''} {text or ''}".strip(), at)
        for address, public_id, title, code, text, at in session.execute(query)
    ]


def really_gone(
    session: Session, tokens: Tokens, notice_id: int, number: int, actor: str, now: datetime
) -> int:
    """Accept the refusals of a question as final; return how many suppressions are new. Commits nothing.

    An address is suppressed if the relay said that it does not exist. Other refusals, such as a full
    mailbox, suppress nobody. `number` is how many refusals the owner was shown. Raises StateConflict if the
    number has changed since.
    """
    question = _answer(session, notice_id, number)
    bounced = (_about(question.notice), Delivery.bounced_at.is_not(None))
    new = add_bounced(session, tokens, session.scalars(select(Delivery.id).where(*bounced)), now, actor=actor)
    _decide(session, and_(*bounced), verdict=BounceVerdict.GONE)
    _decide(session, _about(question.notice), verdict=BounceVerdict.FINAL)
    _close(session, question, "bounces.gone", actor, now)
    return new


def send_again(session: Session, notice_id: int, number: int, actor: str, now: datetime) -> int:
    """Send the emails of a question again, as `retry_rejected` does; return how many are queued.

    The owner says that these refusals were wrong, so they never count against an address. This holds too if
    their issue was cancelled and is not sent again. Raises StateConflict as `really_gone` does. Commits
    nothing.
    """
    question = _answer(session, notice_id, number)
    shown = session.execute(select(Delivery.id, Delivery.issue_id).where(_about(question.notice))).all()
    queued = 0
    for issue_id in sorted({issue_id for _, issue_id in shown if issue_id is not None}):
        ids = {delivery_id for delivery_id, theirs in shown if theirs == issue_id}
        queued += _send_issue_again(session, issue_id, ids, actor, now)
    every = is_one_of(session, Delivery.id, [delivery_id for delivery_id, _ in shown])
    _decide(session, every, verdict=None, bounced_at=None)
    _close(session, question, "bounces.send_again", actor, now)
    return queued


def _send_issue_again(
    session: Session, issue_id: int, ids: Collection[int], actor: str, now: datetime
) -> int:
    issue = session.get(Issue, issue_id, with_for_update={"key_share": True}, populate_existing=True)
    open_to_it = {IssueState.SENDING, IssueState.PAUSED, IssueState.FINISHED}
    if issue is None or issue.state not in open_to_it or issue.emptied_at is not None:
        return 0
    return control.retry_rejected(session, issue, actor, now, only=ids).queued


def _answer(session: Session, notice_id: int, number: int) -> Question:
    """Return the question, locked with its issues, so that two answers cannot run at the same time."""
    question = find_question(session, notice_id)
    refused = select(Delivery.issue_id).where(_about(question.notice), Delivery.issue_id.is_not(None))
    lock_issues(session, Issue.id.in_(refused) | Issue.public_id.in_(_paused(question)))
    notice = select(Notice).where(Notice.id == notice_id).with_for_update()
    session.scalars(notice.execution_options(populate_existing=True)).one()
    question = find_question(session, notice_id)
    if question.number != number:
        raise StateConflict(
            f"There are {question.number} refused addresses now, not {number}. Look at them and answer again."
        )
    return question


def _paused(question: Question) -> list[str]:
    """Return the public ids of the issues that are paused because of a question."""
    return list(question.notice.detail.get("issues", []))


def _close(session: Session, question: Question, action: str, actor: str, now: datetime) -> None:
    """Close a question, resume the issues paused because of it, and release the emails that it held."""
    notice = question.notice
    for public_id in _paused(question):
        issue = session.scalar(select(Issue).where(Issue.public_id == public_id))
        if issue is not None and issue.state is IssueState.PAUSED:
            control.resume(session, issue, actor, now)
    audit.record(session, actor, action, notice.subject, now, count=question.number)
    notice.settled_at = now
    session.flush()
    if notice.kind == NoticeKind.DOMAIN_REFUSES.key:
        release_domain(session, notice.detail.get("domain", 0), now)


def _decide(session: Session, which: ColumnElement[bool], **values: BounceVerdict | None) -> None:
    changed = update(Delivery).where(which).values(**values)
    session.execute(changed.execution_options(synchronize_session=False))


def _count(session: Session, notice: Notice) -> int:
    return session.scalar(select(func.count()).select_from(Delivery).where(_about(notice))) or 0


def _about(notice: Notice) -> ColumnElement[bool]:
    """Return the condition for the refusals that a notice is about."""
    if notice.kind == NoticeKind.RELAY_REFUSES.key:
        verdict, mine = BounceVerdict.RELAY, Delivery.relay_key == notice.detail.get("relay")
    elif notice.kind == NoticeKind.DOMAIN_REFUSES.key:
        verdict, mine = BounceVerdict.DOMAIN, Delivery.domain_key == notice.detail.get("domain")
    elif notice.kind == NoticeKind.ISSUE_REFUSED.key:
        verdict, mine = BounceVerdict.ISSUE, Delivery.issue_id == notice.detail.get("issue")
    else:
        return false()
    return and_(Delivery.verdict == verdict, mine, Delivery.state == DeliveryState.REJECTED)
