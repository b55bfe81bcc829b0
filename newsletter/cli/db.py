"""`newsletter db`: create, upgrade and clean up the database."""

from __future__ import annotations

import time

import click

from newsletter.cli.context import open_settings, print_json
from newsletter.cli.runtime import open_runtime
from newsletter.clock import utcnow
from newsletter.service.database import upgrade as bring_up_to_date
from newsletter.service.first_newsletter import fill_first_newsletter
from newsletter.service.search_index import rebuild_index
from newsletter.subscribers.privacy.retention.policy import Policy
from newsletter.subscribers.privacy.retention.run import Purger


@click.group()
def db() -> None:
    """Make, upgrade or clean up the database."""


@db.command()
def upgrade() -> None:
    """Upgrade the database, or create its tables if it is empty. Safe to run again."""
    settings = open_settings()
    before, after = bring_up_to_date(settings.database)
    if before == after:
        click.echo(f"The database is up to date ({after}).")
    else:
        click.echo(f"The database went from {before or 'empty'} to {after}.")
    for warning in fill_first_newsletter(settings, utcnow()):
        click.echo(f"newsletter: warning: {warning}", err=True)


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

    Safe while the service runs. A dry run cannot count what one step leaves for another.
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
