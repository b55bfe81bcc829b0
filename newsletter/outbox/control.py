"""Pause, resume and cancel an issue, and send its uncertain or rejected deliveries again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from newsletter import audit, coverage
from newsletter.errors import NotFound, StateConflict
from newsletter.messages.digests.renditions import store_renditions
from newsletter.models import (
    Delivery,
    DeliveryState,
    Issue,
    IssueRelease,
    IssueState,
    Subscriber,
    is_gone,
    is_one_of,
)
from newsletter.models.rendition_key import without
from newsletter.outbox.refused.notices import forget_pause
from newsletter.outbox.unbuildable import retry_unbuildable
from newsletter.outbox.unsent import WAITING, Unsent, end_unsent, parts_of
from newsletter.suppression import suppressed_subscribers

# An issue in one of these states can be cancelled.
CAN_BE_SENT_AGAIN = frozenset({IssueState.SENDING, IssueState.PAUSED, IssueState.FINISHED})
CAN_END = frozenset(
    {
        IssueState.HELD,
        IssueState.SCHEDULED,
        IssueState.PREPARING,
        IssueState.SENDING,
        IssueState.PAUSED,
    }
)


def find_issue(session: Session, public_id: str, *, lock: bool = True) -> Issue:
    """Return the issue, locked until the transaction ends if `lock`. Raises NotFound."""
    chosen = select(Issue).where(Issue.public_id == public_id)
    issue = session.scalar(chosen.with_for_update(key_share=True) if lock else chosen)
    if issue is None:
        raise NotFound(f"There is no issue {public_id}.")
    return issue


def pause(session: Session, issue: Issue, actor: str, now: datetime) -> None:
    """Pause an issue. Workers check every second and then offer no more of its messages. Commits nothing."""
    _move(issue, {IssueState.SENDING}, IssueState.PAUSED)
    audit.record(session, actor, "issue.pause", issue.public_id, now)


def resume(session: Session, issue: Issue, actor: str, now: datetime) -> None:
    """Resume a paused issue. An answer to an open question about refusals will not resume it again.

    Commits nothing.
    """
    _move(issue, {IssueState.PAUSED}, IssueState.SENDING)
    issue.note = ""  # it gave the reason for the pause
    retry_unbuildable(session, issue.id, now)
    forget_pause(session, issue.public_id)
    audit.record(session, actor, "issue.resume", issue.public_id, now)


def cancel(
    session: Session,
    issue: Issue,
    actor: str,
    now: datetime,
    commit: Callable[[], None] = lambda: None,
    *,
    drop: bool = False,
) -> int:
    """Cancel an issue; return how many deliveries were cancelled now.

    The releases of cancelled deliveries wait for the next issue, or never come if `drop`. Those of rejected
    deliveries wait for the next issue in both cases. A delivery that a worker holds
    now is cancelled when it comes back unsent. `commit` is called after every few thousand rows, so that
    other transactions do not wait for all of them. By default nothing is committed. If the program ends in
    between, the sweep continues (outbox/record.py, finish). Raises StateConflict if an urgent issue would be
    dropped.
    """
    if drop and issue.urgent_release_id is not None:
        raise StateConflict(
            "An urgent issue cannot be dropped: its release would still come with the next issue. "
            "Cancel the issue, and exclude the release."
        )
    _move(issue, CAN_END, IssueState.CANCELLED)
    issue_id = issue.id
    issue.finished_at, issue.drops_unsent = now, drop
    audit.record(session, actor, "issue.cancel", issue.public_id, now, drop=drop)
    session.flush()
    # In the transaction that changes the state. Deliveries rejected later are put back by outbox/record.py.
    for part in parts_of(session, issue_id, (DeliveryState.REJECTED,)):
        coverage.lock(session, [subscriber_id for _, subscriber_id, _ in part], moved=True)
        coverage.put_back(session, [(subscriber_id, key) for _, subscriber_id, key in part])
    commit()
    return cancel_unsent(session, issue_id, now, commit)


def cancel_unsent(
    session: Session, issue_id: int, now: datetime, commit: Callable[[], None] = lambda: None
) -> int:
    """Cancel the waiting deliveries of a cancelled issue; return how many.

    Their releases are put back, unless the issue was cancelled with "drop".
    """
    count = 0
    drop = bool(session.scalar(select(Issue.drops_unsent).where(Issue.id == issue_id)))
    for part in parts_of(session, issue_id, WAITING):
        count += end_unsent(session, part, DeliveryState.CANCELLED, now, drop=drop)
        commit()
    return count


@dataclass(frozen=True)
class SentAgain:
    """The numbers of deliveries after sending an issue's deliveries again.

    `queued` ones are sent again. `pausing` ones are not, because these people pause or are suppressed.
    `served` ones are skipped, because other deliveries hold all their releases. `given_back` ones belong to a
    cancelled issue, and their releases wait for the next issue.
    """

    queued: int = 0
    pausing: int = 0
    served: int = 0
    given_back: int = 0

    def in_words(self) -> str:
        """Return this as sentences for the owner."""
        said = [f"Queued again: {self.queued}."]
        if self.pausing:
            said.append(f"Not sent, because these people pause or are suppressed: {self.pausing}.")
        if self.served:
            said.append(f"Skipped, because another email brings them everything: {self.served}.")
        if self.given_back:
            said.append(f"Their releases come with the next issue: {self.given_back}.")
        return " ".join(said)

    def __add__(self, other: SentAgain) -> SentAgain:
        return SentAgain(
            self.queued + other.queued,
            self.pausing + other.pausing,
            self.served + other.served,
            self.given_back + other.given_back,
        )


def resend_uncertain(session: Session, issue: Issue, actor: str, now: datetime) -> SentAgain:
    """Queue the uncertain deliveries of an issue again. Commits nothing.

    They have the same Message-ID as before, so an email program may show a duplicate only once. Releases that
    another delivery of the same person holds are left out. Deliveries of people who pause or are suppressed
    stay uncertain. If the issue is cancelled, they are cancelled too, and the next issue brings their
    releases.
    """
    if issue.state is IssueState.CANCELLED:
        done = _give_back_uncertain(session, issue, now)
    else:
        done = _send_again(session, issue, DeliveryState.UNCERTAIN, now)
    audit.record(session, actor, "issue.resend_uncertain", issue.public_id, now, **asdict(done))
    return done


def retry_rejected(
    session: Session, issue: Issue, actor: str, now: datetime, only: Collection[int] | None = None
) -> SentAgain:
    """Queue the rejected deliveries of an issue again, except those to dead mailboxes. Commits nothing.

    `only` has the ids of the deliveries to queue; None means all of the issue.
    """
    done = _send_again(session, issue, DeliveryState.REJECTED, now, only)
    audit.record(session, actor, "issue.retry_rejected", issue.public_id, now, **asdict(done))
    return done


def count_retryable(session: Session, issue: Issue) -> int:
    """Return how many refused emails of an issue `retry_rejected` would look at: not those to dead mailboxes.

    0 if nothing of the issue can be sent again.
    """
    if issue.state not in CAN_BE_SENT_AGAIN or issue.emptied_at is not None:
        return 0
    refused = (Delivery.issue_id == issue.id, Delivery.state == DeliveryState.REJECTED, ~is_gone())
    return session.scalar(select(func.count()).select_from(Delivery).where(*refused)) or 0


def count_resendable(session: Session, issue: Issue) -> int:
    """Return how many uncertain emails of an issue `resend_uncertain` would look at."""
    if issue.emptied_at is not None:
        return 0
    uncertain = (Delivery.issue_id == issue.id, Delivery.state == DeliveryState.UNCERTAIN)
    return session.scalar(select(func.count()).select_from(Delivery).where(*uncertain)) or 0


def _send_again(
    session: Session,
    issue: Issue,
    state: DeliveryState,
    now: datetime,
    only: Collection[int] | None = None,
) -> SentAgain:
    """Queue the deliveries in `state` again, without releases that another delivery of the person holds."""
    if issue.state not in CAN_BE_SENT_AGAIN:
        raise StateConflict(
            f"issue {issue.public_id} is {issue.state}, so nothing of it is sent again; the next issue "
            "brings what people did not get, unless it was dropped"
        )
    if issue.emptied_at is not None:
        raise StateConflict(f"the texts of issue {issue.public_id} were deleted for their age")
    done = SentAgain()
    for whole in parts_of(session, issue.id, (state,), ~is_gone()):
        part = [each for each in whole if only is None or each[0] in only]
        done += _send_part_again(session, issue, part, state, now)
    if done.queued and issue.state is IssueState.FINISHED:
        issue.state, issue.finished_at = IssueState.SENDING, None
    return done


def _send_part_again(
    session: Session, issue: Issue, part: Sequence[Unsent], state: DeliveryState, now: datetime
) -> SentAgain:
    people = [subscriber_id for _, subscriber_id, _ in part]
    coverage.lock(session, people, moved=True)
    away = _away(session, people)
    taken = coverage.held_releases(
        session,
        lambda column: is_one_of(session, column, people),
        issue.newsletter_id,
        releases=session.scalars(select(IssueRelease.release_id).where(IssueRelease.issue_id == issue.id)),
        but_issue=issue.id,
    )
    queued: dict[int, str] = {}
    served: list[Unsent] = []
    pausing: list[Unsent] = []
    for each in part:
        delivery_id, subscriber_id, key = each
        if subscriber_id in away:
            pausing.append(each)
        elif left := without(key, taken.get(subscriber_id, set())):
            queued[delivery_id] = left
        else:
            served.append(each)
    _queue(session, issue.id, queued, {each: key for each, _, key in part}, now)
    # An uncertain delivery of somebody who pauses stays uncertain: it may have arrived.
    ended = served + (pausing if state is DeliveryState.REJECTED else [])
    _settle(session, [each for each, _, _ in ended], DeliveryState.SKIPPED, now)
    coverage.put_back(session, [(subscriber_id, key) for _, subscriber_id, key in ended])
    return SentAgain(len(queued), len(pausing), len(served))


def _give_back_uncertain(session: Session, issue: Issue, now: datetime) -> SentAgain:
    """End the uncertain deliveries of a cancelled issue, and put back their releases.

    In an issue that was cancelled with "drop", a cancelled delivery is a dropped one, so these are skipped.
    """
    done = SentAgain()
    ended = DeliveryState.SKIPPED if issue.drops_unsent else DeliveryState.CANCELLED
    for part in parts_of(session, issue.id, (DeliveryState.UNCERTAIN,)):
        coverage.lock(session, [subscriber_id for _, subscriber_id, _ in part], moved=True)
        _settle(session, [each for each, _, _ in part], ended, now)
        coverage.put_back(session, [(subscriber_id, key) for _, subscriber_id, key in part])
        done += SentAgain(given_back=len(part))
    return done


def _away(session: Session, subscriber_ids: Sequence[int]) -> set[int]:
    """Return the ids of those of these people who pause or are suppressed."""
    theirs = is_one_of(session, Subscriber.id, subscriber_ids)
    away = Subscriber.snoozed_until.is_not(None) | Subscriber.id.in_(suppressed_subscribers())
    return set(session.scalars(select(Subscriber.id).where(theirs, away)))


def _queue(
    session: Session, issue_id: int, keys: Mapping[int, str], before: Mapping[int, str], now: datetime
) -> None:
    """Queue deliveries again. If a key changed, the delivery gets the new rendition."""
    session.execute(
        update(Delivery)
        .where(is_one_of(session, Delivery.id, keys))
        .values(state=DeliveryState.QUEUED, due_at=now, settled_at=None)
        .execution_options(synchronize_session=False)
    )
    changed = {each: key for each, key in keys.items() if key != before[each]}
    store_renditions(session, issue_id, changed)


def _settle(session: Session, delivery_ids: Collection[int], state: DeliveryState, now: datetime) -> None:
    session.execute(
        update(Delivery)
        .where(is_one_of(session, Delivery.id, delivery_ids))
        .values(state=state, settled_at=now)
        .execution_options(synchronize_session=False)
    )


def _move(issue: Issue, allowed: Collection[IssueState], to: IssueState) -> None:
    if issue.state not in allowed:
        raise StateConflict(f"issue {issue.public_id} is {issue.state} and cannot become {to}")
    issue.state = to
