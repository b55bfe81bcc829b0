"""`newsletter digest explain`: what a subscriber gets next, and why each recent release is in it or not."""

from __future__ import annotations

import click

from newsletter.cli.arguments import newsletter_option
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime
from newsletter.digest.explain.explain import Explanation, explain
from newsletter.mail.addresses import parse_address
from newsletter.models.rendition_key import release_ids
from newsletter.newsletters.queries import choose_newsletter
from newsletter.newsletters.schedule import read_moment


@click.command("explain")
@click.argument("address", metavar="ADDRESS")
@click.option(
    "--at",
    "when",
    metavar="TIME",
    help="The first issue at this time or later, such as 2026-12-01T08:00, in the schedule's time zone.",
)
@newsletter_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def explain_command(address: str, when: str | None, newsletter_slug: str | None, as_json: bool) -> None:
    """Say what a subscriber gets next, and why each recent release is in it or not. Sends nothing."""
    parts = open_runtime()
    with parts.reading() as session:
        newsletter_id = choose_newsletter(session, newsletter_slug).id
    identity = parts.identities.recent(parts.reading, newsletter_id)
    with parts.reading() as session:
        found = explain(
            session,
            parts.tokens,
            parse_address(address).canonical,
            identity,
            catch_up=parts.settings.snooze_catch_up,
            now=parts.now(),
            at=read_moment(session, identity, when) if when else None,
        )
        if as_json:
            _print_json(found)
        else:
            _print(found)


def _print(found: Explanation) -> None:
    for each in found.before:
        releases = len(release_ids(each.selection))
        click.echo(f"Before that, at {found.say_time(each.occasion.at)}: {releases} releases.")
    click.echo(found.summary)
    for verdict in found.verdicts:
        mark = "in " if verdict.is_in else "out"
        click.echo(f"  {mark}  {verdict.release.public_id}  {verdict.release.title}")
        click.echo(f"       {verdict.sentence}")


def _print_json(found: Explanation) -> None:
    print_json(
        {
            "at": found.email.occasion.at.isoformat(),
            "date": str(found.email.occasion.slot) if found.email.occasion.slot else None,
            "releases": found.count,
            "summary": found.summary,
            "before": [
                {"at": each.occasion.at.isoformat(), "releases": len(release_ids(each.selection))}
                for each in found.before
            ],
            "verdicts": [
                {
                    "release": each.release.public_id,
                    "title": each.release.title,
                    "in": each.is_in,
                    "why": str(each.why),
                    "sentence": each.sentence,
                }
                for each in found.verdicts
            ],
        }
    )
