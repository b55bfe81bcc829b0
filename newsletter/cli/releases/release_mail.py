"""Commands of `newsletter release` that email people at once: the correction notice, and urgent releases."""

from __future__ import annotations

import click

from newsletter.cli.arguments import IdCommand
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime
from newsletter.digest.urgent import count_urgent
from newsletter.releases.correction_notice.recipients import NoticeReach, count_reach
from newsletter.releases.correction_notice.send import ask_notice
from newsletter.releases.editing.urgent import mark_urgent, unmark_urgent
from newsletter.releases.queries import find_release

ACTOR = "command line"


@click.command("notice", cls=IdCommand)
@click.argument("public_id", metavar="ID")
@click.option("--sentence", default="", metavar="TEXT", help="What the email says, in place of the changes.")
@click.option("--dry-run", is_flag=True, help="Only print how many people would be told.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def notice(public_id: str, sentence: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Tell those who have an earlier text of a release about its correction, once for each correction."""
    parts = open_runtime()
    with parts.reading() as session:
        found = find_release(session, public_id)
        revision, reach = found.revision, count_reach(session, found)
    _print(reach, as_json)
    if dry_run:
        return
    if not yes:
        click.confirm("Send the notice?", abort=True, err=True)
    with parts.session() as session:
        ask_notice(session, public_id, sentence=sentence, revision=revision, actor=ACTOR, now=parts.now())
        session.commit()
    parts.wake("single")
    if not as_json:
        click.echo("The notice is being sent. It needs a running service, or: newsletter worker --drain")


@click.command("urgent", cls=IdCommand)
@click.argument("public_id", metavar="ID")
@click.option("--dry-run", is_flag=True, help="Only print how many people would get it.")
@click.option(
    "--yes", "typed", type=click.IntRange(0), metavar="COUNT", help="The number of people who get it."
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def urgent(public_id: str, dry_run: bool, typed: int | None, as_json: bool) -> None:
    """Send a release at once to every subscriber of its topics, whatever their frequency.

    Asks you to type the number of people first. If the release is held, it is sent when the last hold ends.
    """
    parts = open_runtime()
    with parts.reading() as session:
        reach = count_urgent(session, find_release(session, public_id))
    if as_json:
        print_json(reach._asdict())
    else:
        click.echo(
            f"get it at once {reach.would_get:,}, of them in a waiting email {reach.waiting:,}, "
            f"have it or are being sent it {reach.have:,}, pause or are suppressed {reach.away:,}."
        )
    if dry_run:
        return
    if typed is None:
        typed = click.prompt("Type the number of people who get it at once", type=int, err=True)
    if typed != reach.would_get:
        raise click.ClickException("That is another number; nothing was sent.")
    with parts.session() as session:
        waits = bool(mark_urgent(session, public_id, typed, ACTOR, parts.now()).holds)
        session.commit()
    parts.wake("bulk")
    if not as_json:
        when = "It is sent when its last hold ends." if waits else "It is being sent."
        click.echo(f"{when} To undo this before it is sent: newsletter release not-urgent {public_id}")


@click.command("not-urgent", cls=IdCommand)
@click.argument("public_id", metavar="ID")
def not_urgent(public_id: str) -> None:
    """Undo `urgent` while the release still waits. The next issue brings it."""
    parts = open_runtime()
    with parts.session() as session:
        unmark_urgent(session, public_id, ACTOR, parts.now())
        session.commit()
    click.echo("The next issue brings it.")


def _print(reach: NoticeReach, as_json: bool) -> None:
    if as_json:
        print_json(reach._asdict())
        return
    click.echo(
        f"Will get the notice: {reach.have:,}. Are being sent an earlier text: {reach.sending:,}. "
        f"Will get the new text: {reach.waiting:,}. Get no notice: {reach.left_out:,}."
    )
