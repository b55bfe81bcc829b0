"""The Celery tasks: ids in, nothing out, and every task can run twice.

There are two queues, one for each lane. Every task in the queue of single emails, a drain or a sweep, ends by
sending all single emails that are due. So one message in that queue is enough.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from newsletter.models import Delivery, Lane, Pace, SpentChallenge, ThrottleBucket
from newsletter.outbox.erasure_emails import forget_recipients
from newsletter.outbox.lease import WAITING, issues_to_send
from newsletter.outbox.owner_email import email_notices
from newsletter.outbox.record import finish, recover
from newsletter.outbox.refused.judge import judge_all
from newsletter.outbox.worker import drain as empty_lane
from newsletter.outbox.worker import journal_folder
from newsletter.runtime import Runtime
from newsletter.service.heartbeat import forget_stale
from newsletter.service.prepare_issues import any_to_prepare, end_all_pauses, prepare_issues
from newsletter.service.relay_transport import open_transport
from newsletter.subscribers.choices.change_address import forget_old_wishes
from newsletter.subscribers.signup.confirmation_limits import Brake
from newsletter.subscribers.signup.resolve import resolve_signups

DRAIN = "newsletter.drain"
SWEEP = "newsletter.sweep"

# RabbitMQ closes a consumer that is busy for half an hour, and Redis delivers a task again after its
# visibility timeout. A drain ends long before, and asks for another one.
DRAIN_SECONDS = 60
SIGNUPS_AT_ONCE = 200
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
    """Send what is due in a lane for up to a minute. If something is left, queue another drain.

    A drain of the bulk lane first writes the deliveries of issues that are still being prepared.
    """
    lane = Lane(lane_name)
    _recover(engine)
    if lane is Lane.SINGLE:
        _serve_singles(engine)
        return
    _prepare_issues(engine)
    handled = _empty(engine, lane)
    with engine.runtime.reading() as session:
        # If the relay's limits or the sending window allowed nothing, the sweep tries again. Another drain
        # now would repeat this for hours.
        left = _issues_wait(session, engine) if handled else any_to_prepare(session)
    if left and not engine.stopping():
        engine.send(lane, DRAIN, lane.value, at_most=engine.processes)


def sweep(engine: Engine) -> None:
    """Find due work that no process is doing: the broker may have lost any message."""
    _recover(engine)
    now = engine.runtime.now()
    with engine.runtime.session() as session:
        judge_all(session, engine.runtime.messages, now)
    with engine.runtime.session() as session:
        finish(session, now)
        forget_recipients(session)
        forget_stale(session, now)
        session.execute(delete(ThrottleBucket).where(ThrottleBucket.updated_at < now - BUCKET_KEPT))
        session.execute(delete(SpentChallenge).where(SpentChallenge.expires_at < now))
        session.execute(delete(Pace).where(Pace.seen_at < now - BUCKET_KEPT))
        session.commit()
    _end_pauses_and_old_wishes(engine.runtime)
    with engine.runtime.reading() as session:
        due = _issues_wait(session, engine)
    if due:
        _ask_for_drains(engine)
    _serve_singles(engine)


TASKS: Mapping[str, Callable[..., None]] = {DRAIN: drain, SWEEP: sweep}


def _end_pauses_and_old_wishes(runtime: Runtime) -> None:
    """End expired pauses, and delete requests for a change of address that nobody confirmed."""
    end_all_pauses(runtime)
    with runtime.session() as session:
        forget_old_wishes(session, runtime.now(), runtime.settings.confirm_days)
        session.commit()


def _recover(engine: Engine) -> None:
    """Decide the outcome of deliveries leased by dead processes, from the journals in our folder."""
    runtime = engine.runtime
    with runtime.session() as session:
        recover(session, runtime.messages, journal_folder(runtime.settings), runtime.now())


def _prepare_issues(engine: Engine) -> None:
    """Write the deliveries of every issue that is being prepared, then queue drains for all processes."""
    until = time.monotonic() + DRAIN_SECONDS
    if prepare_issues(engine.runtime, lambda: time.monotonic() >= until or engine.stopping()):
        _ask_for_drains(engine)


def _issues_wait(session: Session, engine: Engine) -> bool:
    return any_to_prepare(session) or bool(issues_to_send(session, engine.runtime.now()))


def _serve_singles(engine: Engine) -> None:
    """Resolve the sign-ups, then send the single emails, their confirmations included."""
    runtime = engine.runtime
    with runtime.session() as session:
        resolved = resolve_signups(
            session,
            runtime.tokens,
            runtime.now(),
            limit=SIGNUPS_AT_ONCE,
            brake=Brake.of(runtime.settings),
        )
        email_notices(session, runtime.settings.owner_address, runtime.now())
        session.commit()
    if resolved:
        log.info("event=signups_resolved count=%d", resolved)
    handled = _empty(engine, Lane.SINGLE)
    with runtime.reading() as session:
        # A request that cannot be resolved waits for the sweep. Another drain now would repeat it forever.
        left = resolved == SIGNUPS_AT_ONCE or (handled > 0 and _mail_waits(session, runtime.now()))
    if left and not engine.stopping():
        engine.send(Lane.SINGLE, DRAIN, Lane.SINGLE.value, at_most=1)


def _mail_waits(session: Session, now: datetime) -> bool:
    mail = exists().where(Delivery.lane == Lane.SINGLE, Delivery.state.in_(WAITING), Delivery.due_at <= now)
    return bool(session.scalar(select(mail)))


def _empty(engine: Engine, lane: Lane) -> int:
    with closing(open_transport(engine.runtime.settings)) as transport:
        handled = empty_lane(
            engine.runtime, transport, lane=lane, seconds=DRAIN_SECONDS, stopping=engine.stopping
        )
    if handled:
        log.info("event=drained lane=%s deliveries=%d", lane, handled)
    return handled


def _ask_for_drains(engine: Engine) -> None:
    """Queue drains until as many wait as there are processes. Running drains are not counted."""
    while engine.send(Lane.BULK, DRAIN, Lane.BULK.value, at_most=engine.processes):
        pass
