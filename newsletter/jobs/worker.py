"""Run Celery's worker or beat in this process."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

from celery import Celery, signals

from newsletter.clock import utcnow
from newsletter.jobs import tasks
from newsletter.jobs.app import make_celery
from newsletter.jobs.broker import await_broker
from newsletter.jobs.queues import queue_of, send
from newsletter.models import Lane
from newsletter.runtime import Runtime
from newsletter.service.database.schema import await_database
from newsletter.service.heartbeat import Heart
from newsletter.service.logs import configure_logging
from newsletter.service.processes import stop_flag
from newsletter.service.processes.before_fork import prepare_to_fork
from newsletter.service.processes.end_with_parent import end_with_parent
from newsletter.settings import Settings

log = logging.getLogger(__name__)

# Workers need no messages from each other: the database says which process does what.
QUIETLY = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING")


def run_worker(settings: Settings, lane_name: str) -> None:
    """Serve one lane until SIGTERM. Running tasks are asked to stop, and the worker waits for them.

    This process sends the single emails itself, because they are few and quick. Digests are sent by a pool:
    one process a core, or as many as the settings say. Raises ServiceError if the database or the broker
    cannot be reached for half a minute.
    """
    lane = Lane(lane_name)
    configure_logging()
    stop_flag.begin()
    await_database(settings.database)
    await_broker(settings)
    app = make_celery(settings)
    heart = Heart(settings.database, f"worker {lane}", utcnow)
    _connect(app, lane, heart)
    pool = ["--pool", "solo"]
    if lane is Lane.BULK:
        pool = ["--pool", "prefork", "--concurrency", str(settings.send_workers or os.cpu_count() or 1)]
        prepare_to_fork()
    app.worker_main(
        ["--quiet", "worker", "--queues", queue_of(lane), "--hostname", f"{lane}@%h", *pool, *QUIETLY]
    )


def run_beat(settings: Settings) -> None:
    """Queue a sweep every 15 seconds and a cleanup every ten minutes, until SIGTERM.

    Raises ServiceError if the database or the broker cannot be reached for half a minute.
    """
    configure_logging()
    await_database(settings.database)
    await_broker(settings)
    signals.setup_logging.connect(_keep_our_logging, weak=False)
    heart = Heart(settings.database, "beat", utcnow)
    heart.start()
    try:
        make_celery(settings).start(["--quiet", "beat", "--loglevel", "WARNING"])
    finally:
        heart.stop()


def _keep_our_logging(**_: Any) -> None:
    """Do nothing: Celery sets up its own logging unless this signal has a receiver."""


def _connect(app: Celery, lane: Lane, heart: Heart) -> None:
    """Connect this worker's functions to Celery's signals: ready, fork, shutdown."""
    # Celery warns at every start when it runs as root, but a container often has no other user.
    warnings.filterwarnings("ignore", message=".*superuser privileges.*")

    def ready(**_: Any) -> None:
        log.info("event=worker_ready lane=%s", lane)
        heart.start()
        if lane is Lane.SINGLE:
            # Work that became due while nothing ran is found now, not at the first beat.
            send(app, lane, tasks.SWEEP)

    def shutting_down(**_: Any) -> None:
        stop_flag.ask_to_stop()

    def forked(**_: Any) -> None:
        if lane is Lane.SINGLE:
            return  # there is no pool; Celery sends this signal to its only process too
        end_with_parent()
        # Nothing of the parent process is used: two processes must not share a database connection.
        app.runtime = Runtime(app.runtime.settings)

    def ended(**_: Any) -> None:
        heart.stop()

    signals.setup_logging.connect(_keep_our_logging, weak=False)
    signals.worker_ready.connect(ready, weak=False)
    signals.worker_shutting_down.connect(shutting_down, weak=False)
    signals.worker_process_init.connect(forked, weak=False)
    signals.worker_shutdown.connect(ended, weak=False)
