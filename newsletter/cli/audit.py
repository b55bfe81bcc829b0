"""`newsletter audit`: print who changed what."""

from __future__ import annotations

import click

from newsletter.audit import detail_words, list_entries
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime


@click.command()
@click.option("--actor", default="", metavar="TEXT", help="Part of the name of the person or program.")
@click.option("--action", default="", metavar="TEXT", help="A part of an action, such as release.urgent.")
@click.option("--subject", default="", metavar="ID", help="The ID of a release or an issue, or a slug.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def audit(actor: str, action: str, subject: str, limit: int, as_json: bool) -> None:
    """Print the newest entries of the audit log, the newest first."""
    with open_runtime().reading() as session:
        found = list_entries(session, actor=actor, action=action, subject=subject, per_page=limit)
    for each in found.items:
        if as_json:
            at = each.at.isoformat()
            entry = {"at": at, "actor": each.actor, "action": each.action, "subject": each.subject}
            print_json({**entry, "detail": each.detail})
        else:
            words = f"{each.at:%Y-%m-%d %H:%M} UTC  {each.actor}  {each.action}  {each.subject}  "
            click.echo(f"{words}{detail_words(each)}".rstrip())
