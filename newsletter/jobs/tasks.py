"""The Celery tasks: ids in, nothing out, and every task can run twice.

There are two queues, one for each lane. Every task in the queue of single emails, a drain or a sweep, ends by
sending all single emails that are due. So one message in that queue is enough.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from sqlalchemy import delete

from newsletter.bounces.reports.take_events import forget_events
from newsletter.digest.schedule.gather import forget_notes
from newsletter.limits.spend import spend
from newsletter.models import Lane, Pace, SpentChallenge, ThrottleBucket
from newsletter.outbox import copies
from newsletter.outbox.drain.worker import drain as empty_lane
from newsletter.outbox.erasure_emails import forget_recipients
from newsletter.outbox.lease import single_mail_is_due
from newsletter.outbox.owner.email import email_notices
from newsletter.outbox.owner.watch import watch
from newsletter.runtime import Runtime
from newsletter.service.announce import announce_notices
from newsletter.service.heartbeat import forget_stale
from newsletter.service.polling.poll_sources import poll_sources, sources_wait
from newsletter.service.relay_transport import Transports
from newsletter.service.returned_mail import follow_up
from newsletter.service.sending.correction_notices import enqueue_notices
from newsletter.service.sending.prepare_issues import (
    any_to_prepare,
    end_all_holds,
    end_all_pauses,
    run_schedules,
    schedules_due,
)
from newsletter.service.sending.send_round import (
    ROUND_SECONDS,
    digests_wait,
    judge_and_finish,
    recover_claims,
    send_round,
)
from newsletter.subscribers.choices.change_address import empty_old_address_changes
from newsletter.subscribers.signup.confirmation_limits import ConfirmationLimits
from newsletter.subscribers.signup.hold import count_unresolved
from newsletter.subscribers.signup.resolve import resolve_signups
from newsletter.throttle import Limit

DRAIN = "newsletter.drain"
POLL = "newsletter.poll"
SWEEP = "newsletter.sweep"
# A sweep judges refusals no longer than this, because its process also sends the single emails.
JUDGING_SECONDS = 2
CLOCK = "newsletter.clock"

SIGNUPS_AT_ONCE = 200
POLL_TURN = "job:poll"
# Once a minute, even with several beat processes or hosts.
POLL_LIMIT = Limit(burst=1, period_seconds=60)
# A rate limit's bucket that was not used for this long is full, whatever its limit.
BUCKET_KEPT = timedelta(days=7)

log = logging.getLogger(__name__)


class Send(Protocol):
    """Puts a task into a lane's queue unless `at_most` messages wait there; returns whether it did."""

    def __call__(self, lane: Lane, task: str, *arguments: int | str, at_most: int | None = None) -> bool: ...


@dataclass(frozen=True)
class Engine:
    """What a task gets: the runtime, a function that queues further tasks, and a check for a stop request."""

    runtime: Runtime
    send: Send
    stopping: Callable[[], bool]

    @property
    def processes(self) -> int:
        """How many processes send digests on this host."""
        return self.runtime.settings.send_workers or os.cpu_count() or 1


def drain(engine: Engine, lane_name: str) -> None:
    """Send the due emails of a lane for up to a minute. If some are left, queue another drain.

    A drain of the bulk lane first writes the deliveries of issues that are still being prepared.
    """
    lane = Lane(lane_name)
    if lane is Lane.SINGLE:
        recover_claims(engine.runtime)
        _serve_singles(engine)
        return
    if _is_copy(engine.runtime):
        return
    with closing(Transports(engine.runtime.settings)) as transports:
        handled = send_round(
            engine.runtime,
            transports.to,
            engine.stopping,
            prepare_seconds=ROUND_SECONDS,
            # All processes send what this one has prepared.
            prepared=lambda: _ask_for_drains(engine),
        )
    _log_drained(lane, handled)
    with engine.runtime.reading() as session:
        # If the relay's limits or the sending window allowed nothing, the sweep tries again. Another drain
        # now would repeat this for hours.
        left = digests_wait(session, engine.runtime.now()) if handled else any_to_prepare(session)
    if left and not engine.stopping():
        engine.send(lane, DRAIN, lane.value, at_most=engine.processes)


def sweep(engine: Engine) -> None:
    """Find due work that no process is doing: the broker may have lost any message."""
    recover_claims(engine.runtime)
    judge_and_finish(engine.runtime, seconds=JUDGING_SECONDS)
    follow_up(engine.runtime)
    now = engine.runtime.now()
    with engine.runtime.session() as session:
        forget_recipients(session)
        forget_notes(session)
        watch(session, now)
        forget_stale(session, now)
        session.execute(delete(ThrottleBucket).where(ThrottleBucket.updated_at < now - BUCKET_KEPT))
        session.execute(delete(SpentChallenge).where(SpentChallenge.expires_at < now))
        session.execute(delete(Pace).where(Pace.seen_at < now - BUCKET_KEPT))
        forget_events(session, now)
        session.commit()
    _end_pauses_and_old_requests(engine.runtime)
    if not _is_copy(engine.runtime):
        run_schedules(engine.runtime)
        _send_if_due(engine)
    _ask_for_poll(engine)
    _serve_singles(engine)
    # After the single emails, because a slow command must not delay them.
    announce_notices(engine.runtime)


def clock(engine: Engine) -> None:
    """Open what the schedules say is due, and ask for drains at once if something was opened."""
    runtime = engine.runtime
    folder = runtime.settings.data_dir
    if not runtime.settings.demo:  # a demo sends nothing, and may be continued a week later
        copies.tick(runtime.reading, runtime.session, folder, runtime.now(), by_clock=True)
    with runtime.reading() as session:
        due = schedules_due(session, runtime.now())
    if due and not _is_copy(runtime):
        run_schedules(engine.runtime)
        _send_if_due(engine)


def _is_copy(runtime: Runtime) -> bool:
    """Return whether digests wait because this may be a restored copy."""
    return copies.is_held(runtime.reading, runtime.session, runtime.settings.data_dir, runtime.now())


def poll(engine: Engine) -> None:
    """Poll the sources that are due. If some are left after a round, queue another one."""
    tally = poll_sources(engine.runtime, engine.stopping)
    if tally.fetched:
        log.info("event=polled sources=%d new=%d failed=%d", tally.fetched, tally.added, tally.failed)
    if tally.fetched and sources_wait(engine.runtime) and not engine.stopping():
        engine.send(Lane.BULK, POLL)


TASKS: Mapping[str, Callable[..., None]] = {DRAIN: drain, SWEEP: sweep, CLOCK: clock, POLL: poll}


def _ask_for_poll(engine: Engine) -> None:
    """Queue a poll if a source is due, at most one a minute: while every worker sends, they would pile up."""
    if not sources_wait(engine.runtime):
        return
    with engine.runtime.session() as session:
        is_time = not spend(session, POLL_TURN, POLL_LIMIT, engine.runtime.now())
        session.commit()
    if is_time:
        engine.send(Lane.BULK, POLL)


def _send_if_due(engine: Engine) -> None:
    with engine.runtime.reading() as session:
        due = digests_wait(session, engine.runtime.now())
    if due:
        _ask_for_drains(engine)


def _end_pauses_and_old_requests(runtime: Runtime) -> None:
    """End expired pauses, and delete requests for a change of address that nobody confirmed."""
    end_all_pauses(runtime)
    end_all_holds(runtime)
    with runtime.session() as session:
        empty_old_address_changes(session, runtime.now(), runtime.settings.confirm_days)
        session.commit()


def _serve_singles(engine: Engine) -> None:
    """Resolve the sign-ups and enqueue correction notices, then send the single emails."""
    runtime = engine.runtime
    resolved = _resolve_signups(runtime)
    notices = enqueue_notices(runtime)
    with closing(Transports(runtime.settings)) as transports:
        handled = empty_lane(
            runtime,
            transports.to,
            lane=Lane.SINGLE,
            seconds=ROUND_SECONDS,
            stopping=engine.stopping,
            meanwhile=lambda: _resolve_if_any(runtime),
        )
    _log_drained(Lane.SINGLE, handled)
    with runtime.reading() as session:
        # A request that cannot be resolved waits for the sweep. Another drain now would repeat it forever.
        more = notices or single_mail_is_due(session, runtime.now())
        left = resolved == SIGNUPS_AT_ONCE or (handled > 0 and more)
    if left and not engine.stopping():
        engine.send(Lane.SINGLE, DRAIN, Lane.SINGLE.value, at_most=1)


def _resolve_signups(runtime: Runtime) -> int:
    """Resolve waiting sign-ups and enqueue notices to the owner; return how many sign-ups were resolved."""
    with runtime.session() as session:
        resolved = resolve_signups(
            session,
            runtime.tokens,
            runtime.now(),
            limit=SIGNUPS_AT_ONCE,
            limits=ConfirmationLimits.of(runtime.settings),
        )
        email_notices(session, runtime.settings.owner_address, runtime.now())
        session.commit()
    if resolved:
        log.info("event=signups_resolved count=%d", resolved)
    return resolved


def _resolve_if_any(runtime: Runtime) -> None:
    """Resolve waiting sign-ups. Without any, this takes no lock."""
    with runtime.reading() as session:
        waiting = count_unresolved(session, runtime.now())
    if waiting:
        _resolve_signups(runtime)


def _log_drained(lane: Lane, handled: int) -> None:
    if handled:
        log.info("event=drained lane=%s deliveries=%d", lane, handled)


def _ask_for_drains(engine: Engine) -> None:
    """Queue drains until as many wait as there are processes. Running drains are not counted."""
    while engine.send(Lane.BULK, DRAIN, Lane.BULK.value, at_most=engine.processes):
        pass
