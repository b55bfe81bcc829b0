"""The web application with the engine to wake: what gunicorn serves."""

from __future__ import annotations

import os

from flask import Flask

from newsletter.accounts.passwords import warm_up
from newsletter.app import create_app
from newsletter.jobs.wake import BackgroundWaker
from newsletter.service.logs import configure_logging
from newsletter.settings import load_settings


def make_application() -> Flask:
    """Return the application of the settings in the environment."""
    configure_logging()
    settings = load_settings(os.environ)
    waker = BackgroundWaker(settings)
    # Now, rather than in somebody's first request, whose duration would tell that it is the first.
    waker.prepare()
    warm_up()
    return create_app(settings, wake=waker)
