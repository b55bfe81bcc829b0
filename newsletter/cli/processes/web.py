"""`newsletter web`: run the web server alone."""

from __future__ import annotations

import os

import click

from newsletter.cli.context import invocation
from newsletter.cli.processes.tried_settings import open_tried_settings
from newsletter.service.database.first_newsletter import require_sender
from newsletter.service.database.schema import await_database
from newsletter.service.logs import configure_logging
from newsletter.service.web_server import web_command

APPLICATION = "newsletter.cli.processes.wsgi:make_application()"


@click.command()
def web() -> None:
    """Run the web server alone, in the foreground."""
    call = invocation()
    configure_logging()
    settings = open_tried_settings(call)
    await_database(settings.database)
    require_sender(settings)
    command = web_command(settings, APPLICATION)
    os.execve(command[0], command, dict(call.environ))  # noqa: S606
