"""Heartbeats: a row that a process updates every few seconds while it lives."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from newsletter.models import Heartbeat, insert_new, open_engine
from newsletter.outbox.journals.journal import LONGEST_HOST, host_label

BEAT_SECONDS = 10
# The row of a process that crashed is kept this long, so that a person can see it.
KEEP = timedelta(hours=1)
SILENT = timedelta(minutes=1)

log = logging.getLogger(__name__)


def beat(session: Session, name: str, kind: str, started_at: datetime, now: datetime) -> None:
    """Record that the process `name` is alive. Does not commit."""
    row = {"name": name, "kind": kind, "started_at": started_at, "seen_at": now}
    session.execute(insert_new(session, Heartbeat).values(row))
    session.execute(update(Heartbeat).where(Heartbeat.name == name).values(seen_at=now))


def forget_stale(session: Session, now: datetime) -> None:
    """Delete the rows of processes not seen for an hour. Does not commit."""
    session.execute(delete(Heartbeat).where(Heartbeat.seen_at < now - KEEP))


def alive_hosts(session: Session, now: datetime) -> set[str]:
    """Return the hosts with a process seen in the last minute, by the host names that leases use."""
    seen = session.scalars(select(Heartbeat.name).where(Heartbeat.seen_at > now - SILENT)).all()
    return {host_label(name.split(" ", 1)[0]) for name in seen}


class Heart:
    """Sends heartbeats from its own thread until it is stopped, then deletes its row."""

    def __init__(self, database: str | URL, kind: str, now: Callable[[], datetime]) -> None:
        self.name = f"{socket.gethostname()[:LONGEST_HOST]} {kind} {os.getpid()}"
        self._database = database
        self._kind = kind
        self._now = now
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        # A process forked during a write would inherit SQLite's locks without a thread that releases them.
        self._writing = threading.Lock()
        os.register_at_fork(
            before=self._writing.acquire,
            after_in_parent=self._writing.release,
            after_in_child=self._writing.release,
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and delete the row: this process ends normally."""
        self._ended.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        engine = open_engine(self._database)
        started_at = self._now()
        while True:
            self._write(engine, lambda session: beat(session, self.name, self._kind, started_at, self._now()))
            if self._ended.wait(BEAT_SECONDS):
                break
        self._write(
            engine, lambda session: session.execute(delete(Heartbeat).where(Heartbeat.name == self.name))
        )
        engine.dispose()

    def _write(self, engine: Engine, change: Callable[[Session], object]) -> None:
        with self._writing, Session(engine) as session:
            try:
                change(session)
                session.commit()
            except SQLAlchemyError as fault:  # a busy or absent database must not end this thread
                log.warning("event=no_heartbeat fault=%s", type(fault).__name__)
