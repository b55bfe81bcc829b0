"""`newsletter digest check`: what to fix before an issue is sent."""

from __future__ import annotations

from dataclasses import replace

import click

from newsletter.cli.arguments import newsletter_option
from newsletter.cli.context import print_json
from newsletter.cli.issues.frequencies import frequency_option
from newsletter.cli.runtime import open_runtime
from newsletter.digest.check import DeadLink, find_faults, gather_facts, links_of
from newsletter.digest.preview import nothing_to_show, preview
from newsletter.errors import StateConflict
from newsletter.ingest.check_links import LINK_LIMITS, find_dead_links
from newsletter.ingest.sources.reading.fetch import make_retriever
from newsletter.models import Frequency
from newsletter.newsletters.queries import choose_newsletter


@click.command()
@newsletter_option
@frequency_option
@click.option("--links", "with_links", is_flag=True, help="Try the links to other sites too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def check(newsletter_slug: str | None, frequencies: tuple[str, ...], with_links: bool, as_json: bool) -> None:
    """Print what to fix before the next issue is sent. Sends nothing.

    The exit status is 1 if something should be fixed first.
    """
    parts, chosen = open_runtime(), [Frequency(each) for each in frequencies]
    with parts.reading() as session:
        newsletter_id = choose_newsletter(session, newsletter_slug).id
        shown = preview(
            session,
            parts.renderer,
            frequencies=chosen,
            now=parts.now(),
            newsletter_id=newsletter_id,
            for_anybody=True,
        )
        if shown is None:
            raise StateConflict(nothing_to_show())
        sender = parts.sender(newsletter_id)
        facts = gather_facts(session, parts.renderer, sender, shown, chosen, parts.now())
    if with_links:
        urls = links_of(facts.samples, parts.settings.public_url)
        dead = find_dead_links(make_retriever(parts.settings, LINK_LIMITS), urls)
        facts = replace(facts, dead_links=[DeadLink(*each) for each in dead])
    faults = find_faults(facts)
    for each in faults:
        if as_json:
            print_json({"name": each.name, "tone": each.tone, "words": each.words})
        else:
            click.echo(f"{'fix ' if each.tone == 'bad' else 'look'}  {each.words}")
    if not faults and not as_json:
        click.echo("Nothing was found.")
    if any(each.tone == "bad" for each in faults):
        raise SystemExit(1)
