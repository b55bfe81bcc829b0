"""Serve several relays at the same time, each in its own thread, so that a slow one delays no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from newsletter.settings import Relay

# How often the database is asked which relays have work.
LOOK_SECONDS = 0.5
# A relay that could not be reached is tried again after this time.
DOWN_SECONDS = 15.0
# How long other relays are served at a time, while the drain waits for a relay that does not answer.
LATE_SECONDS = 10.0


class Served(NamedTuple):
    """How many deliveries were handled, and whether the relay could be reached."""

    handled: int
    reached: bool


# Gets the relay, the seconds to serve it, and a function that returns whether to stop.
Serve = Callable[[Relay, float, Callable[[], bool]], Served]


@dataclass
class _Running:
    """The threads of one drain, by relay. A thread removes itself when it ends."""

    serve: Serve
    stopping: Callable[[], bool]
    elapsed: Callable[[], float]
    threads: dict[str, threading.Thread] = field(default_factory=dict)
    rest_until: dict[str, float] = field(default_factory=dict)
    handled: int = 0
    error: BaseException | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    changed: threading.Event = field(default_factory=threading.Event)

    def ending(self) -> bool:
        """Return whether every thread is to end."""
        return self.stopping() or self.error is not None

    def start(self, relay: Relay, seconds: float, now: float) -> threading.Thread | None:
        """Serve a relay in a new thread; None if a thread serves it already, or if it was down just now."""
        if relay.key in self.threads or now < self.rest_until.get(relay.key, now):
            return None
        # A daemon thread, because a relay that never answers must not keep the process from ending.
        thread = threading.Thread(target=self._run, args=(relay, seconds), name="relay", daemon=True)
        self.threads[relay.key] = thread
        thread.start()
        return thread

    def _run(self, relay: Relay, seconds: float) -> None:
        served = Served(0, reached=False)
        try:
            served = self.serve(relay, seconds, self.ending)
        except BaseException as error:
            self.error = self.error or error
        finally:
            rest = LOOK_SECONDS if served.reached else DOWN_SECONDS
            with self.lock:
                self.handled += served.handled
                self.rest_until[relay.key] = self.elapsed() + rest
                del self.threads[relay.key]
            self.changed.set()

    def join(self) -> int:
        """Wait for the threads; return how many deliveries they handled. Raises their first error."""
        for thread in list(self.threads.values()):
            thread.join()
        if self.error is not None:
            raise self.error
        return self.handled


def serve_several(
    with_work: Callable[[], Sequence[Relay]],
    serve: Serve,
    seconds: float,
    stopping: Callable[[], bool],
    elapsed: Callable[[], float],
    meanwhile: Callable[[], None],
) -> int:
    """Call `serve` for each relay with work, until none has any; return the sum of the results.

    After `seconds` no relay is served again, with one exception. A server that never answers holds its thread
    for minutes, and until that thread ends, the other relays are served. `meanwhile` is called twice a
    second. The first error of a thread is raised after all threads have ended.
    """
    running = _Running(serve, stopping, elapsed)
    until = elapsed() + seconds
    early: list[threading.Thread] = []
    try:
        while True:
            running.changed.clear()
            now = elapsed()
            in_time = now < until
            early = [each for each in early if each.is_alive()]
            if not running.ending() and (in_time or early):
                meanwhile()
                share = until - now if in_time else LATE_SECONDS
                started = [running.start(relay, share, now) for relay in with_work()]
                early += [each for each in started if each is not None and in_time]
            if not running.threads:
                break
            running.changed.wait(LOOK_SECONDS)
    except BaseException as error:
        running.error = running.error or error
    return running.join()
