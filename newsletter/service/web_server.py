"""How gunicorn is run; gunicorn reads this module as its configuration file."""

from __future__ import annotations

import gc
import sys
from typing import Any

from newsletter.service.processes.end_with_parent import end_with_parent
from newsletter.settings import Settings

# Pages are short and wait for the database: a few threads a process.
THREADS = 8
# It reads requests whole before a thread has them.
WORKER_CLASS = "newsletter.service.web_worker.WebWorker"


def web_command(settings: Settings, application: str) -> list[str]:
    """Return the command that serves `application` ("module:factory()") where the settings say."""
    host, port = settings.bind
    return [
        sys.executable, "-m", "gunicorn", "--config", f"python:{__name__}",
        "--bind", f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "--workers", str(settings.web_workers), "--worker-class", WORKER_CLASS, "--threads", str(THREADS),
        "--timeout", "60", "--graceful-timeout", "10", "--log-level", "warning", "--no-control-socket",
        application,
    ]  # fmt: skip


def post_fork(_server: Any, _worker: Any) -> None:
    """End a worker process with gunicorn's main process, however that one ends."""
    end_with_parent()


def post_worker_init(_worker: Any) -> None:
    """Leave what is loaded out of every later look for garbage, and look less often.

    A request makes thousands of objects that die with it, and the application is a hundred thousand that
    stay: by default some of the time goes into finding that out again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
