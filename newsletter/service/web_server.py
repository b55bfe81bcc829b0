"""How gunicorn is run; gunicorn reads this module as its configuration file."""

from __future__ import annotations

import sys
from typing import Any

from newsletter.service.garbage import look_less_often
from newsletter.service.lifeline import end_with_parent
from newsletter.settings import Settings

# Pages are short and wait for the database: a few threads a process, and no event loop.
THREADS = 8


def web_command(settings: Settings, application: str) -> list[str]:
    """Return the command that serves `application` ("module:factory()") where the settings say."""
    host, port = settings.bind
    return [
        sys.executable, "-m", "gunicorn", "--config", f"python:{__name__}",
        "--bind", f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "--workers", str(settings.web_workers), "--worker-class", "gthread", "--threads", str(THREADS),
        "--timeout", "60", "--graceful-timeout", "10", "--log-level", "warning", "--no-control-socket",
        application,
    ]  # fmt: skip


def post_fork(_server: Any, _worker: Any) -> None:
    """End a worker process with gunicorn's main process, however that one ends."""
    end_with_parent()


def post_worker_init(_worker: Any) -> None:
    """Have a process spend its time on requests once it has loaded the application."""
    look_less_often()
