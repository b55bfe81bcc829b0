"""`newsletter bounce history`, `undo` and `go-on`: a person's returned emails, and undo a step."""

from __future__ import annotations

import click

from newsletter.bounces.history.steps import list_steps_of
from newsletter.bounces.history.undo import undo as undo_step
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime
from newsletter.digest.schedule.approval import stop_requiring_next
from newsletter.mail.addresses import parse_address
from newsletter.newsletters.queries import choose_newsletter

ACTOR = "command line"


@click.command()
@click.argument("address")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=200, show_default=True, help="Show at most this many."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def history(address: str, limit: int, as_json: bool) -> None:
    """List the returned emails of ADDRESS and each step that followed, the newest first."""
    with open_runtime().reading() as session:
        steps = list_steps_of(session, parse_address(address).canonical, limit)
    for each in steps:
        if as_json:
            print_json(each.as_record())
            continue
        facts = (each.reason, each.status, each.words, each.actor and f"by {each.actor}")
        said = " ".join(fact for fact in facts if fact)
        undone = "  (undone)" if each.undone_at else ""
        click.echo(f"{each.id}  {each.at:%Y-%m-%d %H:%M}  {each.sentence}  {said}{undone}".rstrip())
    if not steps and not as_json:
        click.echo("No email to this address has come back.")


@click.command()
@click.argument("number", type=int, metavar="ID")
def undo(number: int) -> None:
    """Undo the step ID that `newsletter bounce history` lists.

    A failure then counts no more. A complaint or a suppression is lifted. A probe that was sent ends.
    """
    parts = open_runtime()
    with parts.session() as session:
        newest = parts.settings.snooze_catch_up
        undo_step(session, parts.tokens, number, ACTOR, parts.now(), newest)
        session.commit()
    click.echo(f"Step {number} is undone.")


@click.command("go-on")
@click.argument("slug", metavar="NEWSLETTER")
def go_on(slug: str) -> None:
    """Let the next issue of NEWSLETTER go without the approval that complaints asked for."""
    parts = open_runtime()
    with parts.session() as session:
        newsletter_id = choose_newsletter(session, slug).id
        waited = stop_requiring_next(session, newsletter_id, ACTOR, parts.now())
        session.commit()
    click.echo("The next issue needs no approval." if waited else "No issue waited because of complaints.")
