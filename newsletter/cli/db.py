"""`newsletter db`: create, upgrade, back up, restore and clean up the database."""

from __future__ import annotations

import time
from pathlib import Path

import click

from newsletter.cli.context import open_settings, print_json
from newsletter.cli.runtime import open_runtime
from newsletter.clock import utcnow
from newsletter.service.database.backup import back_up
from newsletter.service.database.backup import restore as restore_backup
from newsletter.service.database.first_newsletter import fill_first_newsletter
from newsletter.service.database.schema import upgrade as bring_up_to_date
from newsletter.service.database.search_index import rebuild_index
from newsletter.subscribers.privacy.retention.policy import Policy
from newsletter.subscribers.privacy.retention.run import Purger


@click.group()
def db() -> None:
    """Make, upgrade, back up, restore or clean up the database."""


@db.command()
def upgrade() -> None:
    """Upgrade the database, or create its tables if it is empty. Safe to run again."""
    settings = open_settings()
    before, after = bring_up_to_date(settings.database)
    if before == after:
        click.echo(f"The database is up to date ({after}).")
    else:
        click.echo(f"The database was upgraded from {before or 'empty'} to {after}.")
    for warning in fill_first_newsletter(settings, utcnow()):
        click.echo(f"newsletter: warning: {warning}", err=True)


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup(file: Path) -> None:
    """Copy the SQLite database to a new FILE. Safe while the service runs.

    Keep the backup as safe as the database: it has all addresses. The secret keys are not in it, nor are
    pictures, keys and journals of the data folder.
    """
    size = back_up(open_settings(), file)
    click.echo(f"The backup {file} has {size / 1e6:.1f} MB.")


@db.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--yes", is_flag=True, help="Do not ask.")
def restore(file: Path, yes: bool) -> None:
    """Put the backup FILE in the place of the SQLite database, and upgrade it.

    Stop the service first. The database that is there is kept beside it. Digests wait afterwards until you
    confirm that no other copy sends: newsletter digest send-from-here
    """
    settings = open_settings()
    if not yes:
        click.confirm(f"Replace the database by {file}? What happened since is no longer known", abort=True)
    restored = restore_backup(settings, file, utcnow())
    click.echo(f"The backup is restored (version {restored.version}).")
    if restored.kept is not None:
        click.echo(f"The database before it is kept: {restored.kept}. Delete it when you no longer need it.")
    if restored.uncertain:
        click.echo(
            f"{restored.uncertain} emails were being sent when the backup was made. Digests of these are "
            "uncertain now."
        )
    click.echo("Digests wait until you run: newsletter digest send-from-here")


@db.command()
def reindex() -> None:
    """Rebuild the search index. Safe while the service runs: search keeps working meanwhile."""
    engine = open_runtime().engine
    total = 0
    for total in rebuild_index(engine):
        click.echo(f"{total} releases indexed", err=True)
    click.echo(f"The search index has {total} releases.")


@db.command()
@click.option("--dry-run", is_flag=True, help="Count only; delete nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def purge(dry_run: bool, as_json: bool) -> None:
    """Delete personal data that is older than the settings allow. The service does this every hour.

    Safe while the service runs. A dry run counts each step alone. It cannot count what a step would find only
    after an earlier one.
    """
    runtime = open_runtime()
    policy = Policy.of(runtime.settings, runtime.now())
    purger = Purger(runtime.session, runtime.reading, runtime.tokens, policy)
    for purged in purger.count() if dry_run else purger.run(time.sleep):
        step = purged.step
        if as_json:
            print_json({
                "step": step.name,
                "count": purged.count,
                "setting": step.variable or None,
                "dry_run": dry_run,
            })  # fmt: skip
        else:
            by = f"  ({step.variable})" if step.variable else ""
            click.echo(f"{purged.count:>9}  {step.what}{by}")
