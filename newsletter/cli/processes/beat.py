"""`newsletter beat`: run Celery's beat alone."""

from __future__ import annotations

import click

from newsletter.cli.context import invocation
from newsletter.cli.processes.tried_settings import open_tried_settings
from newsletter.jobs.worker import run_beat


@click.command()
def beat() -> None:
    """Run beat alone, in the foreground. Every 15 seconds it asks the workers to look for due emails."""
    run_beat(open_tried_settings(invocation()))
