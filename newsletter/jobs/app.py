"""Make the Celery app of one installation from its settings: broker, queues, tasks and beat table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import Celery

from newsletter.jobs import cleanup, queue_files, tasks
from newsletter.jobs.queues import declare_queues, queue_of, send
from newsletter.models import Lane
from newsletter.runtime import Runtime
from newsletter.service.processes.stop_flag import stopping
from newsletter.settings import Settings

SWEEP_SECONDS = 15
# An unread sweep expires after this time, because later ones already wait behind it.
SWEEP_EXPIRES_SECONDS = 60
# How often the schedules are looked at. This reads a few rows.
CLOCK_SECONDS = 2
# How often an idle worker looks into the queue folder. On average, half of this is added to each wait.
POLL_SECONDS = 0.1
# Redis delivers a task again if it is not acknowledged within this time. A drain ends long before.
VISIBILITY_SECONDS = 600


def make_celery(settings: Settings) -> Celery:
    """Return the Celery app with its queues, tasks and beat table. It does not connect yet.

    `app.runtime` holds the objects that its tasks use. Each process makes them once.
    """
    broker, options, quorum = _broker(settings)
    app = Celery("newsletter", set_as_current=False)
    app.conf.update(
        broker_url=broker,
        broker_transport_options=options,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=5,
        # The database holds the truth: a task may be lost or run twice, and nobody reads its result.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_queues=declare_queues(quorum=quorum),
        task_default_queue=queue_of(Lane.SINGLE),
        task_default_queue_type="quorum" if quorum else "classic",
        task_create_missing_queues=False,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        # In memory, because there are few entries and a crash could damage a file.
        beat_scheduler="celery.beat:Scheduler",
        beat_schedule={
            "sweep": {
                "task": tasks.SWEEP,
                "schedule": SWEEP_SECONDS,
                "options": {"queue": queue_of(Lane.SINGLE), "expires": SWEEP_EXPIRES_SECONDS},
            },
            "clock": {
                "task": tasks.CLOCK,
                "schedule": CLOCK_SECONDS,
                "options": {"queue": queue_of(Lane.SINGLE), "expires": CLOCK_SECONDS},
            },
            "tidy": {
                "task": cleanup.TIDY,
                "schedule": cleanup.TIDY_SECONDS,
                "options": {"queue": queue_of(Lane.BULK), "expires": cleanup.TIDY_SECONDS},
            },
        },
    )
    app.runtime = Runtime(settings)
    for name, body in {**tasks.TASKS, **cleanup.TASKS}.items():
        _add_task(app, name, body)
    return app


def _broker(settings: Settings) -> tuple[str, dict[str, Any], bool]:
    """Return the broker's URL, its transport options, and whether it has quorum queues."""
    url = settings.broker_url
    if url is None:
        queue_files.register()
        options = queue_files.open_folder(settings.data_dir / "queue")
        return f"{queue_files.ALIAS}://localhost//", options | {"polling_interval": POLL_SECONDS}, False
    if url.startswith(("amqp", "pyamqp")):
        return url, {"confirm_publish": True}, True
    return url, {"visibility_timeout": VISIBILITY_SECONDS, "socket_connect_timeout": 2}, False


def _add_task(app: Celery, name: str, body: Callable[..., None]) -> None:
    def send_task(lane: Lane, task: str, *arguments: int | str, at_most: int | None = None) -> bool:
        return send(app, lane, task, *arguments, at_most=at_most)

    def run(*arguments: Any) -> None:
        body(tasks.Engine(app.runtime, send_task, stopping), *arguments)

    app.task(run, name=name)
