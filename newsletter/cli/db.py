"""`newsletter db`: the database itself."""

from __future__ import annotations

import click

from newsletter.cli.context import open_settings


@click.group()
def db() -> None:
    """Make or upgrade the database."""


@db.command()
def upgrade() -> None:
    """Bring the database up to date; an empty one gets its tables. Safe to run again."""
    from newsletter.service.database import upgrade as bring_up_to_date  # noqa: PLC0415

    before, after = bring_up_to_date(open_settings().database)
    if before == after:
        click.echo(f"The database is up to date ({after}).")
    else:
        click.echo(f"The database went from {before or 'empty'} to {after}.")
