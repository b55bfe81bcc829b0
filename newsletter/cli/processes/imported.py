"""Every program of the service, imported once by the process that forks them. They share that memory.

An import takes about a second of CPU time and 40 MB, and a service has ten processes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import celery.apps.beat
import celery.apps.worker
import celery.bin.celery
import celery.concurrency.prefork
import gunicorn.arbiter
from setproctitle import setproctitle

import newsletter.service.incoming.server
from newsletter.cli import relay
from newsletter.cli.bounces import bounce
from newsletter.cli.late_import import late_import
from newsletter.cli.processes import beat, web, worker

# The commands of the service, and what they import late.
IMPORTED = (
    beat,
    bounce,
    celery.apps.beat,
    celery.apps.worker,
    celery.bin.celery,
    celery.concurrency.prefork,
    gunicorn.arbiter,
    newsletter.service.incoming.server,
    relay,
    web,
    worker,
)


def runner(*words: str) -> Callable[[], None]:
    """Return a function that runs this program with `words` and the settings of the environment."""

    def run() -> None:
        sys.argv[1:] = ["--env-file", "", *words]
        setproctitle(" ".join(("newsletter", *words)))  # else `ps` would show each as its parent
        late_import("newsletter.cli:main")(prog_name="newsletter")

    return run
