"""`newsletter suppression`: list the suppressed addresses, import a file of them, undo that, export them."""

from __future__ import annotations

import csv
import sys
from datetime import datetime
from typing import BinaryIO

import click

from newsletter import audit
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime
from newsletter.models import SuppressionReason
from newsletter.subscribers.suppressions.addresses_in_file import safe_cell
from newsletter.subscribers.suppressions.import_file import (
    Counted,
    import_addresses,
    list_imports,
    try_import,
    undo_import,
)
from newsletter.subscribers.suppressions.listing import Filter, known_suppressions, list_suppressions

ACTOR = "command line"

reason_option = click.option(
    "--reason", type=click.Choice([each.value for each in SuppressionReason]), help="Only of this reason."
)
since_option = click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="From this day on, UTC.")
until_option = click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Up to this day, UTC.")


@click.group()
def suppression() -> None:
    """Addresses that get no email: list, import, undo an import, export.

    To add or lift one address, use `newsletter subscriber suppress` and `unsuppress`.
    """


def _filter(reason: str | None, since: datetime | None, until: datetime | None) -> Filter:
    return Filter(
        SuppressionReason(reason) if reason else None, since and since.date(), until and until.date()
    )


@suppression.command("list")
@reason_option
@since_option
@until_option
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="Show at most this many."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def list_(
    reason: str | None, since: datetime | None, until: datetime | None, limit: int, as_json: bool
) -> None:
    """List suppressions, newest first, with the addresses that subscribers have."""
    parts = open_runtime()
    place: str | None = ""
    with parts.reading() as session:
        while place is not None and limit > 0:
            found = list_suppressions(session, parts.tokens, _filter(reason, since, until), older_than=place)
            for each in found.rows[:limit]:
                if as_json:
                    print_json(
                        {
                            "address": each.email,
                            "reason": each.reason.value,
                            "since": each.since.isoformat(),
                            "import": each.import_id,
                        }
                    )
                else:
                    shown = each.email or "(not known)"
                    click.echo(f"{each.since:%Y-%m-%d %H:%M}  {each.reason.value:11}  {shown}")
            limit, place = limit - len(found.rows), found.older


@suppression.command("import")
@click.argument("file", type=click.File("rb"), metavar="FILE|-")
@click.option("--dry-run", is_flag=True, help="Count only, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def import_(file: BinaryIO, dry_run: bool, as_json: bool) -> None:
    """Suppress the addresses in FILE: one a line, or a CSV file.

    The addresses are hashed while they are read, and are not stored. An import that was killed can be
    repeated.
    """
    parts = open_runtime()
    counted = Counted()
    if dry_run:
        with parts.reading() as session:
            for part in try_import(session, parts.tokens, file):
                counted = part
                _show_progress(counted)
    else:
        with parts.session() as session:
            for part in import_addresses(session, parts.tokens, file, ACTOR, parts.now()):
                session.commit()
                counted = part
                _show_progress(counted)
    if sys.stderr.isatty():
        click.echo(err=True)
    if as_json:
        print_json(
            {
                "import": counted.import_id,
                "new": counted.new,
                "known": counted.known,
                "unreadable": counted.unreadable,
                "lines": list(counted.lines),
            }
        )
    else:
        click.echo(counted.in_words())


def _show_progress(counted: Counted) -> None:
    if sys.stderr.isatty():
        lines = counted.new + counted.known + counted.unreadable
        click.echo(f"\r{lines:,} lines", nl=False, err=True)


@suppression.command("imports")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def imports(as_json: bool) -> None:
    """List the last imports."""
    with open_runtime().reading() as session:
        for each in list_imports(session):
            undone = each.undone_at.isoformat() if each.undone_at else None
            if as_json:
                print_json(
                    {
                        "import": each.id,
                        "began_at": each.began_at.isoformat(),
                        "actor": each.actor,
                        "new": each.new,
                        "known": each.known,
                        "unreadable": each.unreadable,
                        "undone_at": undone,
                    }
                )
            else:
                end = ", undone" if undone else ""
                click.echo(
                    f"{each.id}  {each.began_at:%Y-%m-%d %H:%M}  {each.actor}: {each.new:,} new, "
                    f"{each.known:,} known, {each.unreadable:,} unreadable{end}"
                )


@suppression.command()
@click.argument("number", type=int, metavar="ID")
def undo(number: int) -> None:
    """Lift the suppressions that came with the import ID.

    People who complained or were erased meanwhile stay suppressed.
    """
    parts = open_runtime()
    count = 0
    with parts.session() as session:
        newest = parts.settings.snooze_catch_up
        for part in undo_import(session, number, ACTOR, parts.now(), newest):
            session.commit()
            count = part
    click.echo(f"{count:,} addresses may be emailed again.")


@suppression.command()
@reason_option
@since_option
@until_option
def export(reason: str | None, since: datetime | None, until: datetime | None) -> None:
    """Write the suppressions whose address a subscriber has as CSV. The others exist as hashes only."""
    parts = open_runtime()
    with parts.session() as session:
        audit.record(session, ACTOR, "suppressions.export", "", parts.now())
        session.commit()
    out = csv.writer(sys.stdout)
    out.writerow(("address", "reason", "since"))
    with parts.reading() as session:
        for each in known_suppressions(session, parts.tokens, _filter(reason, since, until)):
            out.writerow((safe_cell(each.email or ""), each.reason.value, each.since.isoformat()))
