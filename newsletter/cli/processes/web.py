"""`newsletter web`: run the web server alone."""

from __future__ import annotations

from functools import partial

import click

from newsletter.cli.context import invocation
from newsletter.cli.processes.tried_settings import open_tried_settings
from newsletter.cli.processes.wsgi import make_application
from newsletter.service.database.first_newsletter import require_sender
from newsletter.service.database.schema import await_database
from newsletter.service.logs import configure_logging
from newsletter.service.processes.before_fork import prepare_to_fork
from newsletter.service.web_server import WebServer


@click.command()
def web() -> None:
    """Run the web server alone, in the foreground."""
    configure_logging()
    settings = open_tried_settings(invocation())
    await_database(settings.database)
    require_sender(settings)
    prepare_to_fork()
    WebServer(settings, partial(make_application, settings)).run()
