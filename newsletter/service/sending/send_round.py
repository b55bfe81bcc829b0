"""One round of sending digests, for the Celery tasks and for `newsletter worker --drain`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.models import Lane
from newsletter.outbox.drain.worker import drain, journal_folder
from newsletter.outbox.lease import issues_to_send
from newsletter.outbox.record import finish
from newsletter.outbox.recover import recover
from newsletter.outbox.refused.judge import judge_all
from newsletter.runtime import Runtime
from newsletter.service.sending.correction_notices import enqueue_notices
from newsletter.service.sending.prepare_issues import OpenedMeanwhile, any_to_prepare, prepare_issues
from newsletter.settings import Relay
from newsletter.smtp.transport import Transport

# RabbitMQ closes a consumer that is busy for half an hour, and Redis delivers a task again after its
# visibility timeout. A round ends long before, and the task asks for another one.
ROUND_SECONDS = 60


def send_round(
    runtime: Runtime,
    transport_to: Callable[[Relay], Transport],
    stopping: Callable[[], bool],
    *,
    prepare_seconds: float | None = None,
    prepared: Callable[[], None] = lambda: None,
) -> int:
    """Prepare the open issues, then send digests for a minute at most; return how many were handled.

    It first settles the deliveries that dead processes had leased, and enqueues correction notices. With
    `prepare_seconds`, preparing stops after that time. If an issue was being prepared, `prepared` is called
    before anything is sent.
    """
    recover_claims(runtime)
    enqueue_notices(runtime)
    until = None if prepare_seconds is None else time.monotonic() + prepare_seconds

    def ending() -> bool:
        return stopping() or (until is not None and time.monotonic() >= until)

    def prepare() -> None:
        if prepare_issues(runtime, ending, stop_after_first=True):
            prepared()

    prepare()
    # If an issue is opened while a large one is sent, this round ends, and the next one prepares it.
    opened = OpenedMeanwhile(runtime)
    return drain(
        runtime,
        transport_to,
        lane=Lane.BULK,
        seconds=ROUND_SECONDS,
        stopping=lambda: stopping() or opened(),
        meanwhile=prepare,
    )


def recover_claims(runtime: Runtime) -> None:
    """Settle the deliveries leased by dead processes, from the journals in our folder."""
    with runtime.session() as session:
        recover(session, runtime.messages, journal_folder(runtime.settings), runtime.now())


def judge_and_finish(runtime: Runtime, *, seconds: float = math.inf) -> None:
    """Decide what refused addresses mean, and finish the issues whose deliveries are all final.

    After `seconds`, the refusals that are left wait for the next call.
    """
    until = time.monotonic() + seconds
    with runtime.session() as session:
        judge_all(session, runtime.messages, runtime.now(), lambda: time.monotonic() >= until)
    with runtime.session() as session:
        finish(session, runtime.now())
        session.commit()


def digests_wait(session: Session, now: datetime) -> bool:
    """Return whether an issue is being prepared, or has a delivery that is due."""
    return any_to_prepare(session) or bool(issues_to_send(session, now))
