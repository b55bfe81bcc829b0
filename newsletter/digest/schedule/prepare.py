"""Prepare one wave, a chunk of subscribers at a time."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from newsletter import audit
from newsletter.digest.issues import CHUNK, Preparer, take_number
from newsletter.digest.schedule.approval import find_approval, waits_for_approval
from newsletter.digest.schedule.clock import ACTOR
from newsletter.digest.schedule.waves import audience_of
from newsletter.messages.digests.render import DigestRenderer
from newsletter.models import Frequency, Issue, IssueState, SlotApproval, Wave, WaveState, current_sequence


def waves_to_prepare(session: Session) -> list[int]:
    """Return the first wave of each newsletter that can be prepared now.

    The waves of a newsletter are prepared in the order of their instants. A wave of a paused issue waits
    until the issue is resumed, and one of a date without an approval waits for that. The others do not wait
    for these.
    """
    return list(session.scalars(_waves_to_prepare()))


@cache
def _waves_to_prepare() -> Select[int]:
    """Return the query of `waves_to_prepare`. It is made once, because that takes longer than to run it."""
    earlier = aliased(Wave)
    first = ~exists().where(
        earlier.newsletter_id == Wave.newsletter_id,
        earlier.state == WaveState.PREPARING,
        or_(
            earlier.instant < Wave.instant,
            and_(earlier.instant == Wave.instant, earlier.slot < Wave.slot),
        ),
        ~_waits(earlier),
    )
    chosen = select(Wave.id).where(Wave.state == WaveState.PREPARING, ~_waits(Wave), first)
    return chosen.order_by(Wave.instant, Wave.id)


def _waits(wave: type[Wave]) -> ColumnElement[bool]:
    paused = exists().where(
        Issue.newsletter_id == wave.newsletter_id, Issue.slot == wave.slot, Issue.state == IssueState.PAUSED
    )
    return or_(paused, waits_for_approval(wave.newsletter_id, wave.slot))


class WavePreparer:
    """Prepares one wave. The first chunk with a digest for a subscriber makes the issue of the date."""

    def __init__(self, renderer: DigestRenderer, wave_id: int, chunk: int = CHUNK) -> None:
        self._wave_id = wave_id
        self._preparer = Preparer(renderer, None, chunk)

    def step(self, session: Session, now: datetime) -> bool:
        """Prepare one chunk; return whether more follow. The caller commits each chunk.

        `prepared_to` changes in the transaction that writes the deliveries. So after a crash, or with two
        workers, the work continues there. After a failed transaction make a new preparer.
        """
        # A wave that another process holds, or has finished, is left to it.
        chosen = select(Wave).where(Wave.id == self._wave_id).with_for_update()
        wave = session.scalar(chosen.execution_options(populate_existing=True))
        if wave is None or wave.state is WaveState.DONE or wave.id not in waves_to_prepare(session):
            return False
        issue = self._find_issue(session, wave)
        if issue is not None and issue.state is IssueState.PAUSED:
            return False
        if issue is not None and (issue.state is IssueState.CANCELLED or issue.emptied_at is not None):
            wave.state = WaveState.DONE
            return False
        approval = find_approval(session, wave.newsletter_id, wave.slot)
        if wave.to_sequence is None:
            seen = approval.to_sequence if approval else None
            wave.to_sequence = current_sequence(session) if seen is None else seen
        chunk = self._preparer.select_chunk(
            session, audience_of(wave), wave.to_sequence, wave.prepared_to, now, issue.id if issue else None
        )
        if chunk is None or self._preparer.nothing_waits():
            wave.state = WaveState.DONE
            return False
        if chunk.selections:
            issue = issue or self._make_issue(session, wave, approval, now)
            self._take_up(issue, wave)
        self._preparer.write_chunk(session, issue, chunk, wave.to_sequence, now)
        wave.prepared_to = chunk.last
        return True

    def _find_issue(self, session: Session, wave: Wave) -> Issue | None:
        mine = select(Issue).where(Issue.newsletter_id == wave.newsletter_id, Issue.slot == wave.slot)
        locked = mine.with_for_update(key_share=True).execution_options(populate_existing=True)
        return session.scalar(locked)

    def _make_issue(
        self, session: Session, wave: Wave, approval: SlotApproval | None, now: datetime
    ) -> Issue:
        number = take_number(session, wave.newsletter_id)
        issue = Issue(
            newsletter_id=wave.newsletter_id,
            number=number,
            slot=wave.slot,
            title=f"No. {number}",
            frequencies=[],
            state=IssueState.SENDING,
            to_sequence=0,
            editors_note=approval.editors_note if approval else "",
            note_language=approval.note_language if approval else "",
            created_by=ACTOR,
            created_at=now,
            started_at=now,
        )
        session.add(issue)
        session.flush()
        audit.record(session, ACTOR, "issue.open", issue.public_id, now, slot=str(wave.slot))
        return issue

    def _take_up(self, issue: Issue, wave: Wave) -> None:
        """Add the wave to its issue, which is sent again if it had finished."""
        frequencies = {*issue.frequencies, *(each for part in wave.parts for each in part["frequencies"])}
        issue.frequencies = [each.value for each in Frequency if each.value in frequencies]
        issue.to_sequence = max(issue.to_sequence, wave.to_sequence or 0)
        if issue.state is IssueState.FINISHED:
            issue.state, issue.finished_at = IssueState.SENDING, None
        wave.issue_id = issue.id
