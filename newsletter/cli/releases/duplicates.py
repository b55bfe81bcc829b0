"""`newsletter release merge | unmerge | different | duplicates | places`: releases that are the same."""

from __future__ import annotations

import click

from newsletter.cli.arguments import IdCommand
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime
from newsletter.models import PairState
from newsletter.releases.duplicates.merge import mark_different, merge_releases, undo_merge
from newsletter.releases.duplicates.queries import list_pairs, places_of, releases_of, split
from newsletter.releases.queries import find_release

ACTOR = "command line"
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


@click.command(cls=IdCommand)
@click.argument("keep", metavar="ID")
@click.argument("other", metavar="OTHER")
def merge(keep: str, other: str) -> None:
    """Merge the release OTHER into ID: it also goes to the subscribers of its topics.

    If both were sent already, the archive links them instead.
    """
    parts = open_runtime()
    with parts.session() as session:
        state = merge_releases(session, keep, other, ACTOR, parts.now())
        session.commit()
    if state is PairState.LINKED:
        click.echo("Both were sent already, so the archive links them.")
    else:
        click.echo(f"{other} is merged into {keep}. To undo it: newsletter release unmerge {other}")


@click.command(cls=IdCommand)
@click.argument("public_id", metavar="ID")
def unmerge(public_id: str) -> None:
    """Undo the merge of a release: it is as it was before, and the two are different."""
    parts = open_runtime()
    with parts.session() as session:
        state = undo_merge(session, public_id, ACTOR, parts.now()).state
        session.commit()
    click.echo(f"{public_id} is {state.value} again.")


@click.command(cls=IdCommand)
@click.argument("public_id", metavar="ID")
@click.argument("other", metavar="OTHER")
def different(public_id: str, other: str) -> None:
    """Say that two releases are different. They are not suggested again."""
    parts = open_runtime()
    with parts.session() as session:
        mark_different(session, public_id, other, ACTOR, parts.now())
        session.commit()
    click.echo("They are different.")


@click.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000))
@_json
def duplicates(limit: int, as_json: bool) -> None:
    """List releases that may be the same, the newest first."""
    with open_runtime().reading() as session:
        pairs = list_pairs(session, per_page=limit).items
        by_id = releases_of(session, pairs)
        for each in pairs:
            earlier, later = by_id[each.earlier_id], by_id[each.later_id]
            differs = split(each.differs)
            if as_json:
                print_json({"earlier": earlier.public_id, "later": later.public_id, "differs": list(differs)})
                continue
            click.echo(f"{earlier.public_id}  {earlier.published_on:%Y-%m-%d}  {earlier.title}")
            click.echo(f"{later.public_id}  {later.published_on:%Y-%m-%d}  {later.title}")
            click.echo(f"              differs in: {', '.join(differs) or 'nothing that matters'}")


@click.command(cls=IdCommand)
@click.argument("public_id", metavar="ID")
@_json
def places(public_id: str, as_json: bool) -> None:
    """List the places where a release was published, also those of releases merged into it."""
    with open_runtime().reading() as session:
        for each in places_of(session, find_release(session, public_id).id):
            name = each.source.name or each.source.url
            if as_json:
                found = {
                    "source": each.source.public_id, "name": name, "url": each.url,
                    "first_seen_at": each.first_seen_at.isoformat(),
                }  # fmt: skip
                print_json(found)
            else:
                click.echo(f"{each.first_seen_at:%Y-%m-%d %H:%M} UTC  {name}  {each.url}")
