"""`newsletter run`: every process of the service."""

from __future__ import annotations

import click

from newsletter.cli.context import invocation, program
from newsletter.cli.processes.imported import runner
from newsletter.cli.processes.tried_settings import open_tried_settings
from newsletter.service.processes.programs import run_service


@click.command()
def run() -> None:
    """Run the whole service here: web server, workers and beat. Ctrl-C stops it.

    Upgrades the database first. Each line of output begins with the name of its process.
    """
    call = invocation()
    run_service(open_tried_settings(call), call.environ, runner, program())
