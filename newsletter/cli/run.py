"""`newsletter run`, and each of its processes alone."""

from __future__ import annotations

import os

import click

from newsletter.cli.context import invocation, program, whole_command
from newsletter.errors import ServiceError
from newsletter.settings import Settings

APPLICATION = "newsletter.cli.wsgi:make_application()"


@click.command()
def run() -> None:
    """Run the whole service here: web server, workers and beat. Ctrl-C ends it all.

    Upgrades the database first. Each line of output begins with the name of its process.
    """
    from newsletter.service.processes.programs import run_service  # noqa: PLC0415

    call = invocation()
    run_service(call.tried_settings(), call.environ, whole_command, program())


@click.command()
def web() -> None:
    """Run the web server alone, in the foreground."""
    from newsletter.service.database import await_database  # noqa: PLC0415
    from newsletter.service.logs import configure_logging  # noqa: PLC0415
    from newsletter.service.web_server import web_command  # noqa: PLC0415

    call = invocation()
    configure_logging()
    settings = call.tried_settings()
    await_database(settings.database)
    command = web_command(settings, APPLICATION)
    os.execve(command[0], command, dict(call.environ))  # noqa: S606


@click.command()
@click.option("--lane", type=click.Choice(["single", "bulk"]), help="Serve one lane only, in this process.")
@click.option("--drain", is_flag=True, help="Without Celery: prepare and send all that is due, then end.")
def worker(lane: str | None, drain: bool) -> None:
    """Run the workers alone, in the foreground: one for single mails, and one for digests.

    The first is never busy with a digest, so that nobody waits for a confirmation meanwhile.
    """
    call = invocation()
    settings = call.tried_settings()
    if drain:
        _drain(settings)
    elif lane is None:
        from newsletter.jobs.broker import await_broker  # noqa: PLC0415
        from newsletter.service.logs import configure_logging  # noqa: PLC0415
        from newsletter.service.processes.programs import run_workers  # noqa: PLC0415

        configure_logging()
        await_broker(settings)
        run_workers(settings, call.environ, whole_command)
    else:
        from newsletter.jobs.worker import run_worker  # noqa: PLC0415

        run_worker(settings, lane)


def _drain(settings: Settings) -> None:
    """Send all that is due here. Raises ServiceError if a process failed or another host holds deliveries."""
    from newsletter.service.database import await_database  # noqa: PLC0415
    from newsletter.service.drain import drain_everything  # noqa: PLC0415

    await_database(settings.database)
    drained = drain_everything(settings)
    faults = []
    if not drained.well:
        faults.append("A process failed; what it held is queued again or shown as uncertain.")
    for host, count in sorted(drained.elsewhere.items()):
        held = "1 delivery is" if count == 1 else f"{count:,} deliveries are"
        faults.append(
            f"{held} held by the host {host}, whose journals are not in this data folder. It gives them back "
            f"by itself if it runs. If it is lost for good, run: newsletter digest lost-host {host}"
        )
    if faults:
        raise ServiceError("\n".join(faults))


@click.command()
def beat() -> None:
    """Run the clock alone, in the foreground: every 15 seconds it asks for what is due."""
    from newsletter.jobs.worker import run_beat  # noqa: PLC0415

    run_beat(invocation().tried_settings())
