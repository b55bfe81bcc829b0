"""`newsletter worker`: run the workers alone, one of them, or a drain without Celery."""

from __future__ import annotations

import click

from newsletter.cli.context import invocation
from newsletter.cli.late_import import late_import
from newsletter.cli.processes.tried_settings import open_tried_settings
from newsletter.errors import ServiceError
from newsletter.service.database.first_newsletter import require_sender
from newsletter.service.database.schema import await_database
from newsletter.service.logs import configure_logging
from newsletter.service.processes.programs import report_missing_keys, run_workers
from newsletter.service.sending.drain import drain_everything
from newsletter.settings import Settings


@click.command()
@click.option("--lane", type=click.Choice(["single", "bulk"]), help="Serve one lane only, in this process.")
@click.option("--drain", is_flag=True, help="Without Celery: prepare and send all that is due, then end.")
def worker(lane: str | None, drain: bool) -> None:
    """Run the workers alone, in the foreground: one for single emails, and one for digests.

    The first never sends a digest, so that no confirmation has to wait for one.
    """
    call = invocation()
    settings = open_tried_settings(call)
    # A drain needs no Celery.
    if drain:
        _drain(settings)
    elif lane is None:
        configure_logging()
        late_import("newsletter.jobs.broker:await_broker")(settings)
        run_workers(settings, call.environ, late_import("newsletter.cli.processes.imported:runner"))
    else:
        late_import("newsletter.jobs.worker:run_worker")(settings, lane)


def _drain(settings: Settings) -> None:
    """Send all that is due here. Raises ServiceError if a process failed or another host holds deliveries."""
    await_database(settings.database)
    require_sender(settings)
    report_missing_keys(settings)
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
