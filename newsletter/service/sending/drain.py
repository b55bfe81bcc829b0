"""`newsletter worker --drain`: send everything that is due without Celery, one process a core, and end."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from types import FrameType

from sqlalchemy.exc import DBAPIError

from newsletter.errors import ServiceError
from newsletter.models import Lane
from newsletter.outbox import copies
from newsletter.outbox.drain.worker import journal_folder, senders_with_work
from newsletter.outbox.journals.holders import lease_holders
from newsletter.runtime import Runtime
from newsletter.service.database.schema import database_fault
from newsletter.service.processes.before_fork import prepare_to_fork
from newsletter.service.processes.end_with_parent import end_with_parent
from newsletter.service.processes.stop_flag import ask_to_stop, stopping
from newsletter.service.relay_transport import Transports
from newsletter.service.sending.prepare_issues import any_to_prepare
from newsletter.service.sending.send_round import judge_and_finish, send_round
from newsletter.settings import Settings

# How often a process with nothing due checks whether the other processes still hold leases.
LOOK_SECONDS = 0.2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drained:
    """The result of a drain: whether every process ended well, and what other hosts had leased at the end.

    `elsewhere` counts deliveries by host. Only that host, or a person, can say what became of them.
    """

    well: bool
    elsewhere: Mapping[str, int]


def drain_everything(settings: Settings) -> Drained:
    """Prepare the open issues and send until nothing is due here; then count the leases of other hosts.

    It waits only for workers whose journals are in our folder. SIGTERM and Ctrl-C end it early: it starts
    nothing new, and records what was sent.
    """
    refuse_copy(settings)
    count = settings.send_workers or os.cpu_count() or 1
    sys.stdout.flush()
    prepare_to_fork()
    children = [_fork(settings) for _ in range(count)]
    before = {number: signal.signal(number, _ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        codes = [os.waitpid(child, 0)[1] for child in children]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    # Opened after the fork, so that no child shares a connection with us.
    runtime = Runtime(settings)
    elsewhere = lease_holders(runtime.reading, journal_folder(settings)).elsewhere
    runtime.engine.dispose()
    return Drained(not any(codes), elsewhere)


def refuse_copy(settings: Settings) -> None:
    """Raise ServiceError if digests wait because this may be a restored copy."""
    runtime = Runtime(settings)
    now, folder = runtime.now(), settings.data_dir
    copies.tick(runtime.reading, runtime.session, folder, now, by_clock=False)
    with runtime.reading() as session:
        why = copies.held_because(session)
    # No child may inherit a connection.
    runtime.engine.dispose()
    if why is not None:
        raise ServiceError(
            f"{why} Digests wait. Make sure that no other copy sends, then: newsletter digest send-from-here"
        )


def _ask(_signal: int, _frame: FrameType | None) -> None:
    ask_to_stop()


def _fork(settings: Settings) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        end_with_parent()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _ask)
        _drain_until_done(Runtime(settings))
        code = 0
    except ServiceError as fault:
        log.error("event=drain_failed fault=%s", fault)
    except DBAPIError as fault:
        log.error("event=drain_failed fault=%s", database_fault(fault))
    except Exception:
        log.exception("event=drain_failed")
    finally:
        os._exit(code)


def _drain_until_done(runtime: Runtime) -> None:
    with closing(Transports(runtime.settings)) as transports:
        while not stopping():
            if send_round(runtime, transports.to, stopping):
                continue
            judge_and_finish(runtime)
            if not _left(runtime):
                break
            time.sleep(LOOK_SECONDS)


def _left(runtime: Runtime) -> bool:
    """Return whether something can be sent now, or a process of this folder holds leases it may give back.

    Deliveries that the relay's limits or the sending window delay are left for a later run.
    """
    # Checked first: deliveries that a worker gives back after this are seen by the queries below.
    if lease_holders(runtime.reading, journal_folder(runtime.settings)).here:
        return True
    now = runtime.now()
    with runtime.reading() as session:
        if any_to_prepare(session):
            return True
        return bool(senders_with_work(runtime, session, Lane.BULK, now))
