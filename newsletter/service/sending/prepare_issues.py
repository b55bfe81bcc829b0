"""Open what the schedules say is due, and write the deliveries of every issue that is being prepared."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Protocol

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from newsletter.digest.by_hand import any_to_start, start_planned
from newsletter.digest.issues import Preparer
from newsletter.digest.schedule.approval import dates_to_compare, tell_of_corrections
from newsletter.digest.schedule.clock import due_calendars, open_waves
from newsletter.digest.schedule.gather import due_gatherings, gather, newsletters_to_gather, open_gathered
from newsletter.digest.schedule.prepare import WavePreparer, waves_to_prepare
from newsletter.digest.urgent import UrgentPreparer, marked_releases, open_urgent
from newsletter.models import Issue, IssueState
from newsletter.outbox.lease import goes_first
from newsletter.releases.due_holds import end_due_holds
from newsletter.runtime import Runtime
from newsletter.subscribers.choices.pauses import end_pauses

# How often a process that sends looks for newly opened issues.
LOOK_SECONDS = 1.0

log = logging.getLogger(__name__)


class _Steps(Protocol):
    """What prepares an issue or a wave, a chunk in each step."""

    def step(self, session: Session, now: datetime) -> bool: ...


def run_schedules(runtime: Runtime) -> None:
    """Open the urgent issues, the waves and the issues as they happen that are due.

    If there are none, this takes no lock. Each step is a transaction of its own, so a process that is killed
    in between loses and repeats nothing.
    """
    now = runtime.now()
    _open_urgent(runtime)
    with runtime.reading() as session:
        gathering, calendars = newsletters_to_gather(session), due_calendars(session, now)
        opening, approved = due_gatherings(session, now), dates_to_compare(session)
        starting = any_to_start(session, now)
    if starting:
        with runtime.session() as session:
            started = start_planned(session, now)
            session.commit()
        log.info("event=planned_issues_started issues=%s", started)
    for newsletter_id in approved:
        with runtime.session() as session:
            tell_of_corrections(session, newsletter_id, now)
            session.commit()
    for newsletter_id in calendars:
        with runtime.session() as session:
            opened = open_waves(session, newsletter_id, now)
            session.commit()
        if opened:
            log.info("event=waves_opened newsletter=%d waves=%d", newsletter_id, opened)
    if opening:
        # Pauses and holds that end now belong to the issue.
        end_all_pauses(runtime)
        end_all_holds(runtime)
    for newsletter_id in opening:
        with runtime.session() as session:
            issue = open_gathered(session, newsletter_id, now)
            made = issue.id if issue else None
            session.commit()
        log.info("event=gathering_ended newsletter=%d issue=%s", newsletter_id, made)
    for newsletter_id in gathering:
        with runtime.session() as session:
            gather(session, newsletter_id, now)
            session.commit()


def schedules_due(session: Session, now: datetime) -> bool:
    """Return whether `run_schedules` has work."""
    return bool(
        marked_releases(session)
        or newsletters_to_gather(session)
        or due_calendars(session, now)
        or due_gatherings(session, now)
        or dates_to_compare(session)
        or any_to_start(session, now)
    )


def _open_urgent(runtime: Runtime) -> None:
    """Open the issues of urgent releases, each release in a transaction of its own."""
    with runtime.reading() as session:
        marked = marked_releases(session)
    for release_id in marked:
        with runtime.session() as session:
            opened = open_urgent(session, runtime.renderer, release_id, runtime.now())
            issues = [each.id for each in opened]
            session.commit()
        log.info("event=urgent_opened release=%d issues=%s", release_id, issues)


def prepare_issues(runtime: Runtime, ending: Callable[[], bool], *, stop_after_first: bool = False) -> bool:
    """Prepare the open issues and waves until `ending` returns true; return whether there were any.

    Expired pauses and holds end first, so that these subscribers and releases are in the issue. Each chunk
    is a transaction of its own. Two processes that prepare the same issue take turns. If several are open,
    each gets a chunk in turn, so that a small one does not wait for a large one. What becomes due meanwhile
    is opened between two chunks, because on SQLite another process may wait for the lock until the end. With
    `stop_after_first`, it ends as soon as an issue that goes first (outbox/lease.py) is prepared. The caller
    can then send it before a large one is prepared.
    """
    run_schedules(runtime)
    # Reading takes no lock: a drain that waits for another process looks five times a second.
    with runtime.reading() as session:
        found = bool(_open_issues(session) or waves_to_prepare(session))
    if not found:
        return False
    end_all_pauses(runtime)
    end_all_holds(runtime)
    work: dict[str, _Steps] = {}
    waits_for_others: set[str] = set()
    first: set[str] = set()
    while not ending():
        first |= _names_of_first(runtime)
        still_open = _open_work(runtime, work)
        work = {name: steps for name, steps in still_open.items() if name not in waits_for_others}
        if not work:
            break
        for name, steps in work.items():
            with runtime.session() as session:
                more = steps.step(session, runtime.now())
                session.commit()
            if more:
                continue
            waits_for_others.add(name)
            if name not in _open_work(runtime, work):
                log.info("event=prepared %s", name)
                # An issue or a wave that waited for this one can be prepared now.
                waits_for_others.clear()
                if stop_after_first and name in first:
                    return True
        run_schedules(runtime)
    return True


def _open_work(runtime: Runtime, known: Mapping[str, _Steps]) -> dict[str, _Steps]:
    """Return the issues and waves that can be prepared, by name.

    Those in `known` are kept, with the compositions that they have cached.
    """
    with runtime.reading() as session:
        issues, waves = _open_issues(session), waves_to_prepare(session)
    work: dict[str, _Steps] = {}
    for issue_id, is_urgent in issues:
        name = f"issue={issue_id}"
        prepares = UrgentPreparer if is_urgent else Preparer
        work[name] = known.get(name) or prepares(runtime.renderer, issue_id)
    for wave_id in waves:
        name = f"wave={wave_id}"
        work[name] = known.get(name) or WavePreparer(runtime.renderer, wave_id)
    return work


def _names_of_first(runtime: Runtime) -> set[str]:
    """Return the names, as in `_open_work`, of the issues that are sent before older ones."""
    chosen = select(Issue.id).where(Issue.state == IssueState.PREPARING, goes_first())
    with runtime.reading() as session:
        return {f"issue={issue_id}" for issue_id in session.scalars(chosen)}


class OpenedMeanwhile:
    """Tells whether an issue or a wave was opened for preparing since this was made. It looks once a second.

    `elapsed` is its clock, in seconds.
    """

    def __init__(self, runtime: Runtime, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._runtime = runtime
        self._elapsed = elapsed
        self._looked_at = elapsed()
        self._known = _open_work(runtime, {}).keys()
        self._opened = False

    def __call__(self) -> bool:
        """Return whether there is new work. Once it is true, it stays true."""
        if not self._opened and self._elapsed() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = self._elapsed()
            self._opened = not _open_work(self._runtime, {}).keys() <= self._known
        return self._opened


def end_all_pauses(runtime: Runtime) -> None:
    """End expired pauses, a few hundred in each transaction."""
    more = True
    while more:
        with runtime.session() as session:
            more = end_pauses(session, runtime.settings.snooze_catch_up, runtime.now()) > 0
            session.commit()


def end_all_holds(runtime: Runtime) -> None:
    """Make releases ready whose date has come, before an issue of the same moment is prepared."""
    more = True
    while more:
        with runtime.session() as session:
            more = end_due_holds(session, runtime.now()) > 0
            session.commit()


def _open_issues(session: Session) -> list[tuple[int, bool]]:
    """Return the issues that are being prepared, in their order, and whether each is urgent."""
    return [(row[0], row[1]) for row in session.execute(_being_prepared())]


@cache
def _being_prepared() -> Select[int, bool]:
    is_urgent = Issue.urgent_release_id.is_not(None)
    waiting = select(Issue.id, is_urgent).where(Issue.state == IssueState.PREPARING)
    return waiting.order_by(~is_urgent, Issue.id)


def any_to_prepare(session: Session) -> bool:
    """Return whether an issue or a wave is still being prepared."""
    return bool(_open_issues(session) or waves_to_prepare(session))
