"""`newsletter run`, and each of its processes alone."""

from __future__ import annotations

import os

import click

from newsletter.cli.context import invocation, program, whole_command
from newsletter.errors import ServiceError

APPLICATION = "newsletter.cli.wsgi:make_application()"


@click.command()
def run() -> None:
    """Run the whole service here: web server, workers and beat. Ctrl-C ends it all.

    Upgrades the database first. Each line of output begins with the name of its process.
    """
    from newsletter.service.whole import run_service  # noqa: PLC0415

    call = invocation()
    run_service(call.settings, call.environ, whole_command, program())


@click.command()
def web() -> None:
    """Run the web server alone, in the foreground."""
    from newsletter.service.web_server import web_command  # noqa: PLC0415

    call = invocation()
    command = web_command(call.settings, APPLICATION)
    os.execve(command[0], command, dict(call.environ))  # noqa: S606


@click.command()
@click.option("--lane", type=click.Choice(["single", "bulk"]), help="Serve one lane only, in this process.")
@click.option("--drain", is_flag=True, help="Without Celery: send all that is due, then end.")
def worker(lane: str | None, drain: bool) -> None:
    """Run the workers alone, in the foreground: one for single mails, and one for digests.

    The first is never busy with a digest, so that nobody waits for a confirmation meanwhile.
    """
    call = invocation()
    if drain:
        from newsletter.service.draining import drain_everything  # noqa: PLC0415

        if not drain_everything(call.settings):
            raise ServiceError("A process failed; what it held is queued again or shown as uncertain.")
    elif lane is None:
        from newsletter.service.whole import run_workers  # noqa: PLC0415

        run_workers(call.settings, call.environ, whole_command)
    else:
        from newsletter.jobs.worker import run_worker  # noqa: PLC0415

        run_worker(call.settings, lane)


@click.command()
def beat() -> None:
    """Run the clock alone, in the foreground: every 15 seconds it asks for what is due."""
    from newsletter.jobs.worker import run_beat  # noqa: PLC0415

    run_beat(invocation().settings)
