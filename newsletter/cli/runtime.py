"""Open the runtime for commands that use the database."""

from __future__ import annotations

from collections.abc import Callable

from newsletter.cli.context import open_settings
from newsletter.cli.late_import import late_import
from newsletter.runtime import Runtime
from newsletter.service.database.schema import require_current
from newsletter.settings import Settings


def open_runtime() -> Runtime:
    """Return the runtime for commands that use the database. Its `wake` sends a task to the workers.

    Raises SettingsError. Raises ServiceError if the database is missing or has another version.
    """
    settings = open_settings()
    runtime = Runtime(settings, wake=_wake_later(settings))
    require_current(runtime.engine)
    runtime.identities.recent(runtime.reading)
    return runtime


def _wake_later(settings: Settings) -> Callable[[str], None]:
    """Return a `wake` that imports Celery at its first call, because most commands never call it."""

    def wake(lane: str) -> None:
        late_import("newsletter.jobs.wake:Waker")(settings)(lane)

    return wake
