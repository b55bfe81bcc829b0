"""Asks the engine to drain a lane at once, from wherever something became due."""

from __future__ import annotations

import logging
import os
import threading
import time

from celery import Celery

from newsletter.jobs import tasks
from newsletter.jobs.app import make_celery
from newsletter.jobs.queues import send
from newsletter.models import Lane
from newsletter.settings import Settings

# A broker that is away is not asked again by every request: the sweep finds the work meanwhile.
REST_SECONDS = 10.0
# One try, and no pause before an error: somebody waits for an answer to their request.
AT_ONCE = {"max_retries": 0, "interval_start": 0}

log = logging.getLogger(__name__)


# A web server at work asks the broker no oftener than this, a thousand sign-ups a second or not.
PAUSE_SECONDS = 0.02


class Waker:
    """A `Runtime.wake`: a few milliseconds, and never an error, for the sweep finds the work anyway."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: Celery | None = None
        self._lock = threading.Lock()
        self._rests_until = 0.0

    def __call__(self, lane: str) -> None:
        """Ask for a drain of "bulk"; any other word means the single mails, with the sign-ups before them."""
        chosen = Lane.BULK if lane == Lane.BULK else Lane.SINGLE
        if time.monotonic() < self._rests_until:
            return
        try:
            send(self.prepare(), chosen, tasks.DRAIN, chosen.value, at_most=1)
        except Exception as fault:
            # Whatever the broker's client raises: nobody's request may fail for this.
            self._rests_until = time.monotonic() + REST_SECONDS
            log.warning("event=not_woken lane=%s fault=%s", chosen, type(fault).__name__)

    def prepare(self) -> Celery:
        """Return the app. The first call makes it; a web server does so before its first request."""
        with self._lock:
            if self._app is None:
                self._app = make_celery(self._settings)
                self._app.conf.broker_transport_options |= AT_ONCE
            return self._app


class BackgroundWaker(Waker):
    """Wakes from a thread of its own: no visitor waits for the broker, and many calls are one.

    Every call is followed by a look of that thread at the queue, so none is forgotten.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._asked: set[str] = set()
        self._called = threading.Event()
        self._thread: threading.Thread | None = None
        self._process = 0

    def __call__(self, lane: str) -> None:
        """Have a drain asked for, within milliseconds."""
        self._asked.add(lane)
        self._called.set()
        # A web server forks its processes from one that has the application already.
        if self._thread is None or self._process != os.getpid():
            with self._lock:
                if self._thread is None or self._process != os.getpid():
                    self._process = os.getpid()
                    self._thread = threading.Thread(target=self._work, name="waker", daemon=True)
                    self._thread.start()

    def _work(self) -> None:
        while True:
            self._called.wait()
            self._called.clear()
            while self._asked:
                super().__call__(self._asked.pop())
            time.sleep(PAUSE_SECONDS)
