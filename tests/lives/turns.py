"""Interleave calls of the program deterministically: each runs in a thread, and only one runs at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

# A statement that takes longer than this hangs. Then the life ends with an error.
PATIENCE_SECONDS = 60.0
_GLANCE_SECONDS = 0.003
_here = threading.local()


class SimulatedCrash(BaseException):
    """The process dies here. No code of the program may catch it."""


class Strand:
    """A call in its own thread. It runs until its next stop, and continues when `go` is called.

    `stops` are the kinds of its stops: "relay" stops before each message, "statement" and "commit" before
    each of these. `pid` is the PostgreSQL process of its connection.
    """

    def __init__(self, act: Callable[[], object], stops: Iterable[str]) -> None:
        self.stops = set(stops)
        self.at = "start"
        self.pid: int | None = None
        self.ended = False
        self.waits_for_lock = False
        self.error: BaseException | None = None
        self._act = act
        self._crashing = False
        self._go = threading.Semaphore(0)
        self._arrived = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        _here.strand = self
        self._go.acquire()
        try:
            if not self._crashing:
                self._act()
        except SimulatedCrash:
            pass
        except BaseException as error:
            self.error = error
        self.ended = True
        self._arrived.release()

    def go(self) -> None:
        """Let it continue; `arrives` waits until it has stopped again."""
        self._go.release()

    def arrives(self, seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait until it has stopped or ended; return False if it has not within the time."""
        return self._arrived.acquire(timeout=seconds)

    def step(self) -> None:
        """Let it run to its next stop or its end."""
        if self.ended:
            return
        self.go()
        if not self.arrives():
            raise AssertionError("a strand hangs: it waits for a lock that nobody gives up")

    def finish(self) -> None:
        """Let it run to its end."""
        self.stops.clear()
        self.step()

    def crash(self) -> None:
        """End it at its present stop, as if its process was killed."""
        self._crashing = True
        self.finish()

    def stop(self, at: str) -> None:
        """Stop here if `stops` has this kind. Called in its own thread."""
        if at not in self.stops:
            return
        self.at = at
        self._arrived.release()
        self._go.acquire()
        if self._crashing:
            raise SimulatedCrash


def current() -> Strand | None:
    """Return the strand of this thread, or None."""
    return getattr(_here, "strand", None)


def stop_here(at: str) -> None:
    """Stop the strand of this thread, if it has stops of this kind."""
    strand = current()
    if strand is not None:
        strand.stop(at)


def interleave(
    strands: Sequence[Strand],
    picks: Iterable[bool],
    is_blocked: Callable[[int], bool],
    until: Callable[[Strand], bool],
) -> None:
    """Run two strands until each has ended or is at rest; each of `picks` chooses the next one to run.

    A strand that waits for a lock of the other is skipped until it has the lock. The database says whether
    it waits, so the same picks always give the same order.
    """
    live = [each for each in strands if not until(each)]
    turns = iter(picks)
    while live:
        free = [each for each in live if not each.waits_for_lock]
        if free:
            chosen = free[next(turns, False)] if len(free) > 1 else free[0]
            chosen.go()
            _settle(chosen, is_blocked)
        else:
            # A deadlock: the database ends one of them.
            for each in live:
                if each.arrives(0.01):
                    each.waits_for_lock = False
        for each in live:
            if each.waits_for_lock:
                _settle(each, is_blocked)
        live = [each for each in live if each.waits_for_lock or not until(each)]


def _settle(strand: Strand, is_blocked: Callable[[int], bool]) -> None:
    """Wait until a strand has stopped, or the database says that it waits for a lock."""
    waited = 0.0
    while not strand.arrives(_GLANCE_SECONDS):
        waited += _GLANCE_SECONDS
        if strand.pid is not None and is_blocked(strand.pid):
            strand.waits_for_lock = True
            return
        if waited > PATIENCE_SECONDS:
            raise AssertionError("a strand hangs")
    strand.waits_for_lock = False
