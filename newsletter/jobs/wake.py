"""Asks the engine to drain a lane at once, from wherever something became due."""

from __future__ import annotations

import logging
import threading

from celery import Celery

from newsletter.jobs import tasks
from newsletter.jobs.app import make_celery
from newsletter.jobs.queues import send
from newsletter.models import Lane
from newsletter.settings import Settings

log = logging.getLogger(__name__)


class Waker:
    """A `Runtime.wake`: a few milliseconds, and never an error, for the sweep finds the work anyway."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: Celery | None = None
        self._lock = threading.Lock()

    def __call__(self, lane: str) -> None:
        """Ask for a drain of "bulk"; any other word means the single mails, with the sign-ups before them."""
        chosen = Lane.BULK if lane == Lane.BULK else Lane.SINGLE
        try:
            send(self.prepare(), chosen, tasks.DRAIN, chosen.value, at_most=1)
        except Exception as fault:
            # Whatever the broker's client raises: nobody's request may fail for this.
            log.warning("event=not_woken lane=%s fault=%s", chosen, type(fault).__name__)

    def prepare(self) -> Celery:
        """Return the app. The first call makes it; a web server does so before its first request."""
        with self._lock:
            if self._app is None:
                self._app = make_celery(self._settings)
            return self._app
