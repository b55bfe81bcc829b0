"""Parts of the program that run in threads of their own, one at a time, as they are told to go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

# A statement that takes longer than this hangs: the life ends with an error instead of waiting for ever.
PATIENCE_SECONDS = 60.0
_GLANCE_SECONDS = 0.003
_here = threading.local()


class SimulatedCrash(BaseException):
    """The process dies here. No product code may catch it."""


class Strand:
    """One call that runs in a thread of its own until its next stop, and goes on when it is told to.

    `stops` are the kinds of stops it makes: "relay" before each message, "statement" and "commit" before
    each of these. `pid` is the PostgreSQL process that works for it.
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
        """Let it go on; `arrives` tells when it has stopped again."""
        self._go.release()

    def arrives(self, seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait until it has stopped or ended; return False if it has not in that time."""
        return self._arrived.acquire(timeout=seconds)

    def step(self) -> None:
        """Let it run to its next stop, or to its end."""
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
        """End it where it stands, as a killed process would."""
        self._crashing = True
        self.finish()

    def stop(self, at: str) -> None:
        """Hand over here, if it stops at such places. Called in its own thread."""
        if at not in self.stops:
            return
        self.at = at
        self._arrived.release()
        self._go.acquire()
        if self._crashing:
            raise SimulatedCrash


def current() -> Strand | None:
    """Return the strand that this thread is, if it is one."""
    return getattr(_here, "strand", None)


def stop_here(at: str) -> None:
    """Stop the strand that this thread is, if it stops at such places."""
    strand = current()
    if strand is not None:
        strand.stop(at)


def interleave(
    strands: Sequence[Strand],
    picks: Iterable[bool],
    is_blocked: Callable[[int], bool],
    until: Callable[[Strand], bool],
) -> None:
    """Run two strands until each has ended or is at rest; each of `picks` says whose turn is next.

    A strand that waits for a lock of the other is passed over until it has got it. Whether it waits is
    asked of the database, so the same picks always give the same order.
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
            # Both wait for each other: the database ends one of them.
            for each in live:
                if each.arrives(0.01):
                    each.waits_for_lock = False
        for each in live:
            if each.waits_for_lock:
                _settle(each, is_blocked)
        live = [each for each in live if each.waits_for_lock or not until(each)]


def _settle(strand: Strand, is_blocked: Callable[[int], bool]) -> None:
    """Wait until a strand has stopped, or is known to wait for a lock."""
    waited = 0.0
    while not strand.arrives(_GLANCE_SECONDS):
        waited += _GLANCE_SECONDS
        if strand.pid is not None and is_blocked(strand.pid):
            strand.waits_for_lock = True
            return
        if waited > PATIENCE_SECONDS:
            raise AssertionError("a strand hangs")
    strand.waits_for_lock = False
