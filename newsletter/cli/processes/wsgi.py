"""The web application with the engine to wake: what a WSGI server serves."""

from __future__ import annotations

import os
import threading

from flask import Flask

from newsletter.accounts.passwords import warm_up
from newsletter.app import create_app
from newsletter.cli.context import Invocation
from newsletter.cli.processes.tried_settings import open_tried_settings
from newsletter.jobs.broker import warn_without_broker
from newsletter.jobs.wake import Waker
from newsletter.service.database.schema import await_database
from newsletter.service.logs import configure_logging
from newsletter.settings import Settings

WSGI_AWAIT_SECONDS = 15.0


def make_application(settings: Settings) -> Flask:
    """Return the application of settings that were tried."""
    configure_logging()
    os.umask(0o077)  # our files contain addresses and keys
    waker = Waker(settings)
    # Now, not in the first sign-up: its longer response time would reveal that it is the first.
    waker.prepare()
    warm_up()
    # Sign-up needs no broker, so a broker that does not answer causes only a warning.
    threading.Thread(target=warn_without_broker, args=(settings,), name="broker", daemon=True).start()
    return create_app(settings, wake=waker)


def make_tried_application() -> Flask:
    """Return the application of the environment and of `.env` in this folder, for any WSGI server.

    Raises SettingsError if something that the settings name is unusable, and ServiceError if the
    database cannot be reached.
    """
    configure_logging()
    settings = open_tried_settings(Invocation())
    # Shorter than the 30 seconds after which gunicorn ends a worker that is still loading.
    await_database(settings.database, seconds=WSGI_AWAIT_SECONDS)
    return make_application(settings)
