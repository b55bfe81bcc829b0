"""`newsletter digest send-from-here`: a person says that this installation is no restored copy."""

from __future__ import annotations

import click

from newsletter.cli.runtime import open_runtime
from newsletter.outbox import copies


@click.command("send-from-here")
def send_from_here_command() -> None:
    """Let digests go from this installation, which may be a restored copy.

    Make sure first that no other copy sends: subscribers would get digests twice.
    """
    parts = open_runtime()
    with parts.session() as session:
        copies.send_from_here(session, parts.settings.data_dir, "command line", parts.now())
        session.commit()
    parts.wake("bulk")
    click.echo("Digests go from here.")
