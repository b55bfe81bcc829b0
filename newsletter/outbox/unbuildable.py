"""Deliveries whose message cannot be built: pause the issue, retry them on resume, or skip them.

A build failure says nothing about the recipient. So such a delivery is never rejected, not even when it is
old.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.languages import SOURCE_LANGUAGE, parse_language
from newsletter.models import Delivery, DeliveryState, Issue, IssueState
from newsletter.outbox.owner.watch import tell_about_pause
from newsletter.outbox.unsent import WAITING, end_unsent, parts_of

ACTOR = "outbox"
# If this many messages of an issue fail and none succeeds, we conclude that none can be built.
ENOUGH = 20
# The states of deliveries that are still to be sent.
_OPEN = (DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.LEASED)


def waits_to_be_built() -> ColumnElement[bool]:
    """Return the SQL condition for waiting deliveries whose message could not be built."""
    return and_(Delivery.build_failed_at.is_not(None), Delivery.state.in_(_OPEN))


def count_unbuildable(session: Session, issue_id: int | None = None) -> int:
    """Return how many waiting deliveries (of an issue) have a message that cannot be built."""
    query = select(func.count()).where(waits_to_be_built())
    if issue_id is not None:
        query = query.where(Delivery.issue_id == issue_id)
    return session.scalar(query) or 0


def pause_if_unbuildable(session: Session, faults: Mapping[tuple[int, str], str], now: datetime) -> list[int]:
    """Pause each issue of which no message in a language can be built; return their ids. Commits nothing.

    `faults` has an error text by issue and language. If other messages of that issue and language could be
    built, the issue is not paused, and only the failed ones wait.
    """
    paused = []
    for (issue_id, language), fault in sorted(faults.items()):
        issue = session.get(Issue, issue_id, with_for_update={"key_share": True}, populate_existing=True)
        if issue is None or issue.state is not IssueState.SENDING:
            continue
        if not _none_can_be_built(session, issue_id, language):
            continue
        issue.state = IssueState.PAUSED
        name = parse_language(language).get_display_name(SOURCE_LANGUAGE) or language
        issue.note = (
            f"Paused by itself: no message of this issue can be made in {name}: {fault}. "
            "Nobody was left out. Fix the fault and resume, or skip these messages."
        )
        session.flush()
        audit.record(session, ACTOR, "issue.pause", issue.public_id, now, unbuildable=language)
        tell_about_pause(session, issue, now)
        paused.append(issue_id)
    return paused


def _none_can_be_built(session: Session, issue_id: int, language: str) -> bool:
    mine = and_(Delivery.issue_id == issue_id, Delivery.language == language)
    final = (DeliveryState.ACCEPTED, DeliveryState.REJECTED, DeliveryState.UNCERTAIN)
    tried = and_(Delivery.state == DeliveryState.DEFERRED, Delivery.build_failed_at.is_(None))
    if session.scalar(select(exists().where(mine, or_(Delivery.state.in_(final), tried)))):
        return False
    some = select(Delivery.id).where(mine, waits_to_be_built()).limit(ENOUGH).subquery()
    if (session.scalar(select(func.count()).select_from(some)) or 0) >= ENOUGH:
        return True
    untried = exists().where(mine, Delivery.state.in_(_OPEN), Delivery.build_failed_at.is_(None))
    return not session.scalar(select(untried))


def retry_unbuildable(session: Session, issue_id: int, now: datetime) -> None:
    """Make the deliveries of a resumed issue whose message could not be built due now."""
    session.execute(
        update(Delivery)
        .where(
            Delivery.issue_id == issue_id,
            Delivery.state == DeliveryState.DEFERRED,
            Delivery.build_failed_at.is_not(None),
        )
        .values(due_at=now)
        .execution_options(synchronize_session=False)
    )


def skip_unbuildable(session: Session, issue: Issue, actor: str, now: datetime) -> int:
    """Skip the deliveries of an issue whose message cannot be built; return how many. Commits nothing.

    Their releases wait for the next issue of each subscriber.
    """
    failed = Delivery.build_failed_at.is_not(None)
    count = sum(
        end_unsent(session, part, DeliveryState.SKIPPED, now)
        for part in parts_of(session, issue.id, WAITING, failed)
    )
    audit.record(session, actor, "issue.skip_unbuildable", issue.public_id, now, skipped=count)
    return count
