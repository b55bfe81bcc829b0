"""Measure how soon an issue as it happens is sent, while a large one is prepared, sent, or waits for a limit.

The clock and the workers are the real processes. The time counts from the end of the gathering delay to the
first recipient that the relay is told.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from servers.processes import LOOPBACK, die_with_parent
from sqlalchemy import func, insert, select

from benchmarks import fast_sink
from benchmarks.corpus import MOMENT
from benchmarks.installations import copy, environ, filled
from benchmarks.measure import BenchmarkFailed, say
from benchmarks.versions import CACHE, THIS
from newsletter.calendar.rules import Rules
from newsletter.calendar.store import set_rules, start, usual_calendar
from newsletter.clock import utcnow
from newsletter.digest.issues import open_issue
from newsletter.jobs.wake import Waker
from newsletter.models import (
    FIRST_NEWSLETTER,
    Delivery,
    DeliveryState,
    Frequency,
    Gathering,
    Issue,
    IssueState,
    Release,
    ReleaseState,
    ReleaseTopic,
    Subscriber,
    Subscription,
    SubscriptionState,
    current_sequence,
    take_sequences,
)
from newsletter.runtime import Runtime
from newsletter.settings import load_settings

# The large issue is opened this long before the small one, so that it is still being prepared then.
LEAD_SECONDS = 2
LONGEST_SECONDS = 900
# The relay's limit. The large issue uses what issues like it may use within seconds, and waits.
PER_HOUR = 2_000
RECIPIENT = b"RCPT TO:<soon"

Found = TypeVar("Found")


class WatchingSink(fast_sink.Sink):
    """The fast sink. It notes when it was first told a recipient of the small issue since `forget`."""

    def __init__(self) -> None:
        super().__init__(0, None)
        self.first_at: float | None = None

    def forget(self) -> None:
        """Wait for the next such recipient."""
        self.first_at = None

    def say(self) -> None:
        """Print nothing."""

    def _replies(self, client: fast_sink.Client) -> bytes:
        if self.first_at is None and RECIPIENT in client.waiting:
            self.first_at = time.time()
        return super()._replies(client)


@dataclass
class _Place:
    """An installation during the measurement."""

    folder: Path
    port: int
    runtime: Runtime
    sink: WatchingSink

    def count(self, *conditions: Any) -> int:
        """Return how many deliveries meet these conditions."""
        with self.runtime.reading() as session:
            return session.scalar(select(func.count(Delivery.id)).where(*conditions)) or 0

    def large(self) -> tuple[int, IssueState]:
        """Return the id and the state of the large issue."""
        with self.runtime.reading() as session:
            chosen = select(Issue.id, Issue.state).where(Issue.created_by == "large")
            issue_id, state = session.execute(chosen).one()
            return issue_id, state

    @contextlib.contextmanager
    def process(self, name: str, **more: str) -> Iterator[None]:
        """Run a process of the service."""
        given = environ(self.folder, port=self.port)
        given |= {f"NEWSLETTER_{key}": value for key, value in more.items()}
        with (self.folder / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(  # noqa: S603
                [THIS.python, "-m", "newsletter", name], cwd=self.folder, env=given, stdout=log, stderr=log,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 (three system calls, no lock)
            )  # fmt: skip
        try:
            yield
        finally:
            child.terminate()
            child.wait()


def measure(many: int, few: int) -> list[dict[str, Any]]:
    """Return one run: the seconds in each of three situations, and the longest of them."""
    source = filled("fifty", many)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="newsletter-bench-", dir=CACHE)))
        copy(source, folder)
        sink, listener = WatchingSink(), stack.enter_context(socket.create_server((LOOPBACK, 0)))
        threading.Thread(target=sink.serve, args=(listener,), daemon=True).start()
        port = listener.getsockname()[1]
        settings = load_settings(environ(folder, port=port))
        runtime = Runtime(settings, wake=Waker(settings))
        place = _Place(folder, port, runtime, sink)
        _furnish(runtime, few)
        stack.enter_context(place.process("beat"))
        with place.process("worker"):
            found = {"preparing": _turn(place, few, _open_large)}
            _wait("the large issue is being sent", lambda: place.large()[1] is IssueState.SENDING)
            found["sending"] = _turn(place, few)
        with place.process("worker", RELAY=f"smtp://{LOOPBACK}:{port}?per_hour={PER_HOUR}"):
            found["limit"] = _turn(place, 0)
        runtime.engine.dispose()
    load = os.getloadavg()[0]
    return [
        {"seconds": max(found.values()), **found, "subscribers": many, "few": few, "load": round(load, 1)}
    ]


def _furnish(runtime: Runtime, few: int) -> None:
    """Add subscribers of what happens, and a schedule whose other dates are days away."""
    now = utcnow()
    day = (now + timedelta(days=3)).date()
    rules = Rules(
        daily=frozenset({day.weekday()}), weekly=frozenset({day.weekday()}), monthly_day=min(day.day, 28)
    )
    with runtime.session() as session:
        first = (session.scalar(select(func.max(Subscriber.id))) or 0) + 1
        upto = current_sequence(session)
        people = [
            {
                "id": first + number, "public_id": f"soon{number}", "email": f"soon{number}@example.com",
                "email_key": f"soon{number}@example.com", "language": "en", "created_at": MOMENT,
                "confirmed_at": MOMENT,
            }
            for number in range(few)
        ]  # fmt: skip
        session.execute(insert(Subscriber), people)
        wanted = {
            "topic_id": 1, "newsletter_id": FIRST_NEWSLETTER, "frequency": Frequency.IMMEDIATE,
            "state": SubscriptionState.ACTIVE, "started_sequence": upto, "covered_to": upto,
            "created_at": MOMENT, "confirmed_at": MOMENT,
        }  # fmt: skip
        session.execute(insert(Subscription), [{**wanted, "subscriber_id": each["id"]} for each in people])
        row = usual_calendar(FIRST_NEWSLETTER, "UTC")
        set_rules(row, rules)
        row.gather_minutes = 1
        session.add(row)
        start(session, row, now)
        session.commit()


def _turn(place: _Place, few: int, meanwhile: Callable[[_Place], None] | None = None) -> float:
    """Add a release; return after how many seconds its issue was sent, from the end of the delay.

    Then wait until `few` people have it.
    """
    before = _count_soon(place)
    place.sink.forget()
    _add_release(place.runtime)
    opens_at = _wait("the gathering delay begins", lambda: _opens_at(place.runtime))
    if meanwhile is not None:
        time.sleep(max(0.0, opens_at.timestamp() - LEAD_SECONDS - time.time()))
        meanwhile(place)
    time.sleep(max(0.0, opens_at.timestamp() - time.time()))
    _, state = place.large()
    first_at = _wait("the first email comes", lambda: place.sink.first_at)
    seconds = round(first_at - opens_at.timestamp(), 2)
    say(f"{seconds} s after the delay, while the large issue is {state} (load {os.getloadavg()[0]:.1f})")
    if meanwhile is not None and state is not IssueState.PREPARING:
        raise BenchmarkFailed("the large issue was prepared too early: more subscribers are needed")
    _wait("everybody has it", lambda: _count_soon(place) >= before + few)
    return seconds


def _count_soon(place: _Place) -> int:
    """Return how many emails of small issues were sent."""
    soon = select(Subscriber.id).where(Subscriber.email.startswith("soon"))
    return place.count(Delivery.subscriber_id.in_(soon), Delivery.state == DeliveryState.ACCEPTED)


def _open_large(place: _Place) -> None:
    with place.runtime.session() as session:
        open_issue(session, [Frequency.WEEKLY], actor="large", now=place.runtime.now())
        session.commit()
    place.runtime.wake("bulk")


def _opens_at(runtime: Runtime) -> datetime | None:
    with runtime.reading() as session:
        return session.scalar(select(Gathering.opens_at))


def _add_release(runtime: Runtime) -> None:
    now = utcnow()
    with runtime.session() as session:
        made = Release(
            title="A cable at last", publisher="Port", published_at=now, language="en", summary="Here.",
            body_html="<p>Here.</p>", body_text="Here.", content_hash=str(now), created_at=now,
            state=ReleaseState.READY,
        )  # fmt: skip
        made.topic_links = [ReleaseTopic(topic_id=1)]
        session.add(made)
        session.flush()
        made.topic_links[0].sequence = take_sequences(session, 1)
        session.commit()


def _wait(what: str, look: Callable[[], Found | None]) -> Found:
    """Return the first value of `look` that is not empty."""
    say(f"waiting until {what}")
    until = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise BenchmarkFailed(f"{what}: not within {LONGEST_SECONDS} s")
