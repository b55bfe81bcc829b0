"""The gunicorn command and its hooks. gunicorn reads this module as its configuration file."""

from __future__ import annotations

import sys
from typing import Any

from newsletter.service.processes.end_with_parent import end_with_parent
from newsletter.settings import Settings

# Pages are short and wait for the database, so each process has only a few threads.
THREADS = 8
# It reads a request completely before a thread gets it.
WORKER_CLASS = "newsletter.service.web_worker.WebWorker"


def web_command(settings: Settings, application: str) -> list[str]:
    """Return the command that serves `application` ("module:factory()") at the address in the settings."""
    host, port = settings.bind
    return [
        sys.executable, "-m", "gunicorn", "--config", f"python:{__name__}",
        "--bind", f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "--workers", str(settings.web_workers), "--worker-class", WORKER_CLASS, "--threads", str(THREADS),
        "--timeout", "60", "--graceful-timeout", "10", "--log-level", "warning", "--no-control-socket",
        application,
    ]  # fmt: skip


def post_fork(_server: Any, _worker: Any) -> None:
    """End a worker process when gunicorn's main process ends, for whatever reason."""
    end_with_parent()
