"""Commands of `newsletter release` that email people at once: the correction notice."""

from __future__ import annotations

import click

from newsletter.cli.arguments import IdCommand
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime
from newsletter.releases.correction_notice.recipients import NoticeReach, count_reach
from newsletter.releases.correction_notice.send import ask_notice
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


def _print(reach: NoticeReach, as_json: bool) -> None:
    if as_json:
        print_json(reach._asdict())
        return
    click.echo(
        f"have an earlier text and get the notice {reach.have:,}, are being sent one {reach.sending:,}, "
        f"will get the new text {reach.waiting:,}, get no notice {reach.left_out:,}."
    )
