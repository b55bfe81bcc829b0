"""Notices to the owner about refused addresses: questions about a relay, a domain or an issue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from newsletter import notices
from newsletter.messages.kinds import wanted_with
from newsletter.models import (
    BounceVerdict,
    Delivery,
    DeliveryState,
    Issue,
    Notice,
    SubscriptionState,
    is_single,
)
from newsletter.notices import NoticeKind

# If this many confirmations in a row are refused and none is accepted, the owner is told.
CONFIRMATIONS = 10
# The notices that the owner must answer. Their detail lists the issues that are paused because of them.
QUESTIONS = (NoticeKind.RELAY_REFUSES, NoticeKind.DOMAIN_REFUSES, NoticeKind.ISSUE_REFUSED)


def tell_about_relay(session: Session, name: str, relay: int, paused: Sequence[str], now: datetime) -> None:
    """Tell the owner that a relay is wrong, how many refusals there are, and which issues are paused."""
    there = notices.find_open(session, NoticeKind.RELAY_REFUSES, name)
    before = list(there.detail.get("issues", [])) if there else []
    refused = _count(session, BounceVerdict.RELAY, Delivery.relay_key == relay)
    issues = [*before, *(each for each in paused if each not in before)]
    notices.tell_owner(
        session, NoticeKind.RELAY_REFUSES, name, now, refused=refused, issues=issues, relay=relay
    )


def tell_about_domain(session: Session, domain: str, number: int, now: datetime) -> None:
    """Tell the owner that a domain is wrong, and how many refusals there are."""
    refused = _count(session, BounceVerdict.DOMAIN, Delivery.domain_key == number)
    notices.tell_owner(
        session, NoticeKind.DOMAIN_REFUSES, domain, now, refused=refused, domain=number, issues=[]
    )


def tell_about_issue(session: Session, issue: Issue, said: str, now: datetime) -> None:
    """Tell the owner that an issue reached nobody, and what the relay last said."""
    refused = _count(session, BounceVerdict.ISSUE, Delivery.issue_id == issue.id)
    detail = {"title": issue.title, "issue": issue.id, "issues": [issue.public_id], "said": said}
    notices.tell_owner(session, NoticeKind.ISSUE_REFUSED, issue.public_id, now, refused=refused, **detail)


def forget_pause(session: Session, public_id: str) -> None:
    """Remove a resumed issue from the open questions: a later pause of it will have another reason."""
    kinds = [each.key for each in QUESTIONS]
    found = select(Notice).where(Notice.settled_at.is_(None), Notice.kind.in_(kinds)).order_by(Notice.id)
    for notice in session.scalars(found.with_for_update().execution_options(populate_existing=True)):
        issues = notice.detail.get("issues", [])
        if public_id in issues:
            notice.detail = {**notice.detail, "issues": [each for each in issues if each != public_id]}


def look_at_confirmations(session: Session, now: datetime) -> None:
    """Tell the owner when the last confirmations were all refused. It suppresses and pauses nothing."""
    asked = (is_single(), Delivery.template.in_(wanted_with(SubscriptionState.PENDING)))
    refused = session.execute(
        select(Delivery.due_at, Delivery.settled_at)
        .where(*asked, Delivery.state == DeliveryState.REJECTED, Delivery.bounced_at.is_not(None))
        .order_by(Delivery.due_at.desc(), Delivery.id.desc())
        .limit(CONFIRMATIONS)
    ).all()
    open_one = notices.find_open(session, NoticeKind.CONFIRMATIONS_REFUSED, "")
    if len(refused) < CONFIRMATIONS:
        return
    since = min(due_at for due_at, _ in refused)
    accepted = exists().where(*asked, Delivery.state == DeliveryState.ACCEPTED, Delivery.due_at >= since)
    if session.scalar(select(accepted)):
        if open_one is not None:
            notices.settle(session, NoticeKind.CONFIRMATIONS_REFUSED, "", now)
    elif open_one is None and refused[0].settled_at is not None:
        notices.tell_owner(session, NoticeKind.CONFIRMATIONS_REFUSED, "", now, refused=CONFIRMATIONS)


def _count(session: Session, verdict: BounceVerdict, which: ColumnElement[bool]) -> int:
    """Return how many refusals wait for the owner's answer."""
    waiting = (Delivery.verdict == verdict, Delivery.state == DeliveryState.REJECTED)
    return session.scalar(select(func.count()).where(*waiting, which)) or 0
