"""Helpers for crash tests: an issue for many subscribers, and real processes that send it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from house import ENVIRON, Clock, House, make_upgraded
from servers.processes import die_with_parent
from servers.programs import Program
from sqlalchemy import func, insert, select

from newsletter.clock import utcnow
from newsletter.models import (
    Base,
    Delivery,
    Frequency,
    Issue,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from newsletter.outbox.control import find_issue, resend_uncertain
from newsletter.runtime import Runtime
from newsletter.settings import Settings


def open_house(settings: Settings) -> House:
    """Return a house with the real time as its clock, like the processes."""
    make_upgraded(settings.database)
    clock = Clock(utcnow())
    return House(Runtime(settings, now=clock), clock)


def address(number: int) -> str:
    return f"reader{number:05}@example.org"


def issue_for(house: House, subscribers: int) -> int:
    """Open a small issue for this many subscribers, numbered from 1; return its id."""
    topic, now = house.topic("energy"), house.clock()
    numbers = range(1, subscribers + 1)
    people = [
        {
            "id": number, "public_id": f"r{number:010}", "email": address(number),
            "email_key": address(number), "created_at": now, "confirmed_at": now,
        }
        for number in numbers
    ]  # fmt: skip
    interests = [
        {
            "subscriber_id": number, "topic_id": topic, "frequency": Frequency.WEEKLY,
            "state": SubscriptionState.ACTIVE, "created_at": now, "confirmed_at": now,
        }
        for number in numbers
    ]  # fmt: skip
    with house.runtime.session() as session:
        rows: tuple[tuple[type[Base], list[dict[str, object]]], ...]
        rows = ((Subscriber, people), (Subscription, interests))
        for model, values in rows:
            session.execute(insert(model), values)
        session.commit()
    house.release("A new energy cable")
    return house.open()


def count_states(house: House) -> dict[str, int]:
    """Return how many deliveries are in each state."""
    with house.runtime.reading() as session:
        rows = session.execute(select(Delivery.state, func.count()).group_by(Delivery.state))
        return {str(state): count for state, count in rows}


def recipients_in(house: House, state: str) -> set[str]:
    """Return the addresses whose delivery is in `state`."""
    with house.runtime.reading() as session:
        query = select(Subscriber.email).join(Delivery, Delivery.subscriber_id == Subscriber.id)
        return set(session.scalars(query.where(Delivery.state == state)))


def resend(house: House, issue_id: int) -> int:
    """Send uncertain deliveries again, as an editor may; return how many."""
    with house.runtime.session() as session:
        public_id = session.get_one(Issue, issue_id).public_id
        count = resend_uncertain(session, find_issue(session, public_id), "ed", house.clock()).queued
        session.commit()
        return count


def environ_of(house: House, **more: str) -> dict[str, str]:
    """Return the environment for processes of this house."""
    settings = house.runtime.settings
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
    own = {
        "NEWSLETTER_DATA_DIR": str(settings.data_dir),
        "NEWSLETTER_RELAY": f"smtp://{settings.relay.host}:{settings.relay.port}",
        "NEWSLETTER_DATABASE_URL": settings.database_url or "",
        "NEWSLETTER_SEND_WORKERS": "2",
    }
    return {**kept, **ENVIRON, **own, **more}


@dataclass
class Fleet:
    """Processes of one house. Those that still run when the block ends are ended."""

    environ: dict[str, str]
    log: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the processes that still run."""
        for process in self.running:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            if process.poll() is None:
                process.kill()
                process.wait()

    def start(self, *words: str, before: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
        """Start `newsletter` with `words`; `before` is called in the new process first."""
        tie, words = die_with_parent(signal.SIGTERM), ("--env-file", "", *words)

        def prepare() -> None:
            tie()
            if before is not None:
                before()

        with self.log.open("ab") as output:
            options: dict[str, Any] = {"env": self.environ, "stdout": output, "stderr": output}
            process: subprocess.Popen[bytes]
            if before is None:
                process = Program(*words, **options)
            else:
                command = [sys.executable, "-m", "newsletter", *words]
                process = subprocess.Popen(command, preexec_fn=prepare, **options)  # noqa: PLW1509 (system calls only)
        self.running.append(process)
        return process

    def drain(self) -> subprocess.Popen[bytes]:
        return self.start("worker", "--drain")


def below(pid: int) -> list[int]:
    """Return the processes below `pid`, parents before their children."""
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += [int(child), *below(int(child))]
    return found


def gone(pid: int) -> bool:
    """Return whether a process has ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def until(true: Callable[[], object], seconds: float = 180.0) -> None:
    """Wait until `true()` is true; fail after this many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not true after {seconds} s"
        time.sleep(0.01)
