"""Wake the engine: after an email became due, ask it to drain the lane at once."""

from __future__ import annotations

import logging
import threading
import time

from celery import Celery

from newsletter.jobs import tasks
from newsletter.jobs.app import make_celery
from newsletter.jobs.queues import send
from newsletter.models import Lane
from newsletter.settings import Settings

# After a failure the broker is not asked again for this long. The sweep finds the work meanwhile.
REST_SECONDS = 10.0
# One try, and no pause before an error, because a visitor waits for the response.
AT_ONCE = {"max_retries": 0, "interval_start": 0}

log = logging.getLogger(__name__)


class Waker:
    """A `Runtime.wake`. It takes a few milliseconds and never raises: the sweep finds the work anyway."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: Celery | None = None
        self._lock = threading.Lock()
        self._rests_until = 0.0

    def __call__(self, lane: str) -> None:
        """Ask for a drain of "bulk". Any other word means the single emails, after the sign-ups."""
        chosen = Lane.BULK if lane == Lane.BULK else Lane.SINGLE
        if time.monotonic() < self._rests_until:
            return
        try:
            send(self.prepare(), chosen, tasks.DRAIN, chosen.value, at_most=1)
        except Exception as fault:
            # Each broker's client has its own errors, and no visitor's request may fail because of them.
            self._rests_until = time.monotonic() + REST_SECONDS
            log.warning("event=not_woken lane=%s fault=%s", chosen, type(fault).__name__)

    def prepare(self) -> Celery:
        """Return the Celery app. The first call makes it: a web server calls it before its first request."""
        with self._lock:
            if self._app is None:
                self._app = make_celery(self._settings)
                self._app.conf.broker_transport_options |= AT_ONCE
            return self._app
