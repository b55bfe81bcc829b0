"""gunicorn, with our settings and hooks, in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from newsletter.service.processes.end_with_parent import end_with_parent
from newsletter.service.web_worker import WebWorker
from newsletter.settings import Settings

# Pages are short and wait for the database, so each process has only a few threads.
THREADS = 8


class WebServer(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """Serves an application at the address in the settings. Each of its processes calls `make`."""

    def __init__(self, settings: Settings, make: Callable[[], Callable[..., Any]]) -> None:
        """Take the settings. `run` then serves until SIGTERM, and ends this process."""
        self._settings = settings
        self._make = make
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        host, port = self._settings.bind
        options = {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "workers": self._settings.web_workers,
            "worker_class": WebWorker,
            "threads": THREADS,
            "timeout": 60,
            "graceful_timeout": 10,
            "loglevel": "warning",
            "control_socket_disable": True,
            "proc_name": "newsletter web",
            "post_fork": _end_with_parent,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """Return the application, in a process that will serve it."""
        return self._make()


def _end_with_parent(_server: Any, _worker: Any) -> None:
    """End a worker process when gunicorn's main process ends, for whatever reason."""
    end_with_parent()
