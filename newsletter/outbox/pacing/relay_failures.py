"""Pause an issue when its relay refuses nearly every message, or cannot be reached for long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import func, not_, or_, select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.mail.redact import without_addresses
from newsletter.models import Delivery, DeliveryState, Issue, IssueState
from newsletter.outbox.owner.watch import tell_about_pause
from newsletter.outbox.retry import ABOUT_A_MAILBOX, blames_the_sender
from newsletter.smtp.outcomes import Fate, Outcome

ACTOR = "outbox"

# An issue pauses if at least REFUSED_PART of its last DECIDING_OUTCOMES outcomes are permanent refusals that
# are not about a mailbox. A small issue has fewer outcomes. With fewer than FEWEST_OUTCOMES, it may be
# chance.
DECIDING_OUTCOMES = 50
FEWEST_OUTCOMES = 5
REFUSED_PART = 0.9
RECENT = timedelta(minutes=10)
# Longer than a restart of a relay takes.
OUTAGE = timedelta(minutes=15)


def is_suspicious(outcomes: Iterable[Outcome]) -> bool:
    """Return whether nearly all of these outcomes are refusals that do not concern one mailbox.

    Then it is worth a query to count the outcomes of all processes.
    """
    decided = [each for each in outcomes if each.accepted or (each.reply and each.reply.permanent)]
    replies = [each.reply for each in decided if each.fate is Fate.REPLIED and each.reply is not None]
    blamed = sum(blames_the_sender(reply.code, reply.status) for reply in replies)
    return blamed > 0 and blamed >= REFUSED_PART * len(replies)


def pause_if_refused(session: Session, issue_ids: Iterable[int], relay: str, now: datetime) -> list[int]:
    """Pause those issues whose messages the relay refuses nearly all; return their ids. Commits nothing."""
    paused = []
    for issue in _sending(session, issue_ids):
        enough = _enough(session, issue.id)
        answered, refused, said = _counts(session, issue.id, enough, now)
        if answered < enough or refused < REFUSED_PART * answered:
            continue
        note = (
            f"Paused by itself: the relay {relay} refused {refused} of the last {answered} messages for "
            f"good, and not for their addresses. It last said: {_quoted(said)}. When that is fixed, "
            "resume the issue and send the rejected emails again."
        )
        _pause(session, issue, note, now, heard=answered, refused=refused)
        paused.append(issue.id)
    return paused


def pause_if_down(
    session: Session, issue_ids: Iterable[int], relay: str, down: timedelta, fault: str, now: datetime
) -> list[int]:
    """Pause those issues if the relay could not be reached for too long; return their ids."""
    if down < OUTAGE:
        return []
    paused = []
    minutes = int(down.total_seconds() // 60)
    for issue in _sending(session, issue_ids):
        note = (
            f"Paused by itself: the relay {relay} could not be used for {minutes} minutes: "
            f"{_quoted(fault)}. Nobody was left out. When that is fixed, resume."
        )
        _pause(session, issue, note, now, minutes=minutes)
        paused.append(issue.id)
    return paused


def _sending(session: Session, issue_ids: Iterable[int]) -> Iterator[Issue]:
    """Lock these issues, one after another, and yield those that are being sent."""
    for issue_id in sorted(issue_ids):
        # Locked, so that a second process counts after the first one has committed.
        issue = session.get(Issue, issue_id, with_for_update={"key_share": True}, populate_existing=True)
        if issue is not None and issue.state is IssueState.SENDING:
            yield issue


def _enough(session: Session, issue_id: int) -> int:
    """Return how many outcomes are enough to decide about an issue. A small issue has fewer."""
    some = select(Delivery.id).where(Delivery.issue_id == issue_id).limit(DECIDING_OUTCOMES).subquery()
    return max(FEWEST_OUTCOMES, session.scalar(select(func.count()).select_from(some)) or 0)


def _counts(session: Session, issue_id: int, enough: int, now: datetime) -> tuple[int, int, str]:
    """Return how many recent messages of an issue were answered, how many refused, and the last refusal."""
    recent = (Delivery.issue_id == issue_id, Delivery.settled_at > now - RECENT)
    blamed = (
        Delivery.state == DeliveryState.REJECTED,
        Delivery.reply_code >= 500,
        not_(or_(*(func.coalesce(Delivery.status, "").startswith(each) for each in ABOUT_A_MAILBOX))),
    )
    refused = session.scalar(select(func.count()).where(*recent, *blamed)) or 0
    if refused < REFUSED_PART * enough:
        return 0, refused, ""
    is_answered = Delivery.state.in_((DeliveryState.ACCEPTED, DeliveryState.REJECTED))
    answered = session.scalar(select(func.count()).where(*recent, is_answered)) or 0
    last = session.execute(
        select(Delivery.reply_code, Delivery.reply_text)
        .where(*recent, *blamed)
        .order_by(Delivery.settled_at.desc(), Delivery.id.desc())
        .limit(1)
    ).one()
    return answered, refused, f"{last[0]} {last[1] or ''}".strip()


def _pause(session: Session, issue: Issue, note: str, now: datetime, **detail: int) -> None:
    issue.state = IssueState.PAUSED
    issue.note = note
    session.flush()
    audit.record(session, ACTOR, "issue.pause", issue.public_id, now, **detail)
    tell_about_pause(session, issue, now)


def _quoted(text: str) -> str:
    # The note may be kept longer than a subscriber's address, so addresses are removed from the reply.
    return without_addresses(text).strip().rstrip(".")[:300]
