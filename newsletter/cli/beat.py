"""`newsletter beat`: the clock alone."""

from __future__ import annotations

import click

from newsletter.cli.context import invocation
from newsletter.cli.tried_settings import open_tried_settings
from newsletter.jobs.worker import run_beat


@click.command()
def beat() -> None:
    """Run the clock alone, in the foreground: every 15 seconds it asks for what is due."""
    run_beat(open_tried_settings(invocation()))
