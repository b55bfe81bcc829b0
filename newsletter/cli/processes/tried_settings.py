"""Check the settings and every file and URL that they name, for commands that start a process."""

from __future__ import annotations

import click

from newsletter.cli.context import Invocation
from newsletter.service.checks.settings_check import tried_settings
from newsletter.settings import Settings


def open_tried_settings(call: Invocation) -> Settings:
    """Return the settings for a process of the service, after checking every file and URL that they name.

    Prints on standard error which values of the settings file were cut or changed. Raises SettingsError with
    every fault.
    """
    for note in call.file.notes:
        click.echo(f"newsletter: {note}", err=True)
    return tried_settings(call.environ, call.file.faults)
