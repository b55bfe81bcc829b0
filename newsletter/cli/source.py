"""`newsletter source`: add, try, list, poll, pause and remove sources, and exchange them as OPML."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from newsletter.cli.arguments import IdCommand
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime
from newsletter.errors import NewsletterError, StateConflict
from newsletter.ingest.feeds.opml import LARGEST_BYTES, Outline, read_opml, write_opml
from newsletter.ingest.guard import Allowed
from newsletter.ingest.sources.manage import (
    add_source,
    count_items,
    find_source,
    history,
    list_sources,
    need_approval,
    newest_items,
    pause_source,
    remove_source,
    resume_source,
)
from newsletter.ingest.sources.reading.fetch import make_retriever
from newsletter.ingest.sources.trial import Trial, try_address, try_page
from newsletter.models import FetchOutcome, FullText, Source, SourceKind, SourceState
from newsletter.releases.decide import Candidate
from newsletter.releases.holds import say_doubts
from newsletter.releases.rules.match_topics import topics_for
from newsletter.service.polling.poll_sources import Tally, poll_sources

ACTOR = "command line"
GOOD = frozenset({FetchOutcome.READ, FetchOutcome.UNCHANGED})

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
interval_option = click.option(
    "--interval", default=15, show_default=True, help="Minutes between two fetches, from 5 to 10080."
)
settle_option = click.option(
    "--settle", default=10, show_default=True, help="Minutes that a new item must stay the same; 0 for none."
)
backlog_option = click.option(
    "--backlog",
    default="none",
    show_default=True,
    metavar="N|Nd|all|none",
    help="Which old items are emailed: the last N, those of the last N days, all or none.",
)


full_text_option = click.option(
    "--full-text",
    type=click.Choice([each.value for each in FullText]),
    default=FullText.AUTO.value,
    show_default=True,
    help="Take the text of a feed's items from their pages; auto: only if the feed has a teaser.",
)
page_option = click.option("--page", is_flag=True, help="It is a page that lists releases, not a feed.")
select_option = click.option(
    "--select", "selector", default="", metavar="CSS", help="With --page: where the links are, if rules fail."
)
pattern_option = click.option(
    "--pattern", default="", metavar="URL", help="With --page: which links, such as /news/*."
)


@click.group()
def source() -> None:
    """Sources of releases: feeds, pages that list releases, and folders of files."""


@source.command()
@click.argument("url", metavar="URL|FOLDER")
@click.option("--name", default="", help="What people see. If left out: the feed's title.")
@click.option("--publisher", default="", help="The publisher of its releases. If left out: the feed's own.")
@click.option("--folder", is_flag=True, help="It is a folder of files on this machine, not a URL.")
@interval_option
@settle_option
@backlog_option
@click.option("--approval", is_flag=True, help="Its releases wait until an editor approves them.")
@full_text_option
@page_option
@select_option
@pattern_option
def add(
    url: str,
    name: str,
    publisher: str,
    folder: bool,
    interval: int,
    settle: int,
    backlog: str,
    approval: bool,
    full_text: str,
    page: bool,
    selector: str,
    pattern: str,
) -> None:
    """Add a source. It is fetched within a minute, and then regularly.

    Items that it has already are stored and public, and are not emailed unless --backlog says so. To see its
    releases first: newsletter source try URL
    """
    _check_page_options(page, selector, pattern)
    if page and folder:
        raise click.UsageError("A source is a page or a folder, not both.")
    parts = open_runtime()
    with parts.session() as session:
        added = add_source(
            session,
            url,
            kind=SourceKind.FOLDER if folder else SourceKind.PAGE if page else SourceKind.FEED,
            full_text=FullText(full_text),
            link_selector=selector,
            link_pattern=pattern,
            name=name,
            publisher=publisher,
            interval_minutes=interval,
            settle_minutes=settle,
            backlog=backlog,
            needs_approval=approval,
            allowed=Allowed.of(parts.settings.fetch_allow),
            actor=ACTOR,
            now=parts.now(),
        )
        session.commit()
        click.echo(f"{added.public_id}  {added.url}")


@source.command("try")
@click.argument("url")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 2000))
@page_option
@select_option
@pattern_option
@json_option
def try_(url: str, limit: int, page: bool, selector: str, pattern: str, as_json: bool) -> None:
    """Show which releases would come from URL, and under which topics. Stores nothing.

    URL may also be a site that names its feeds. The first of them is then tried. If it names none, the
    releases that the page lists are shown. Of these, the first three are read.
    """
    _check_page_options(page, selector, pattern)
    parts = open_runtime()
    retriever = make_retriever(parts.settings)
    trial = try_page(retriever, url, selector, pattern) if page else try_address(retriever, url)
    with parts.reading() as session:
        shown = trial.items[:limit]
        texts = [Candidate(each.title, each.publisher, each.body, each.language, each.tags) for each in shown]
        found = topics_for(session, texts)
    _print_trial(trial, found, as_json)


def _check_page_options(page: bool, selector: str, pattern: str) -> None:
    if (selector or pattern) and not page:
        raise click.UsageError("--select and --pattern need --page.")


@source.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the sources, those that fail first."""
    with open_runtime().reading() as session:
        counted = count_items(session)
        for each in list_sources(session):
            _print(each, counted.get(each.id, 0), as_json)


@source.command(cls=IdCommand)
@click.argument("public_id", metavar="ID")
@json_option
def show(public_id: str, as_json: bool) -> None:
    """Show a source with its history and its newest items."""
    with open_runtime().reading() as session:
        found = find_source(session, public_id)
        _print(found, count_items(session).get(found.id, 0), as_json)
        for entry in history(session, found.id):
            if as_json:
                print_json(
                    {
                        "at": entry.last_at.isoformat(),
                        "outcome": entry.outcome,
                        "status": entry.status,
                        "times": entry.count,
                        "items": entry.items,
                        "added": entry.added,
                        "changed": entry.changed,
                        "message": entry.message,
                    }
                )
            else:
                times = f" ({entry.count} times)" if entry.count > 1 else ""
                new = f"; {entry.added} new, {entry.changed} changed" if entry.added or entry.changed else ""
                words = f"  {entry.message}" if entry.message else ""
                click.echo(f"  {entry.last_at:%Y-%m-%d %H:%M}  {entry.outcome}{times}{new}{words}")
        if not as_json:
            for item in newest_items(session, found.id):
                click.echo(f"  {item.release.public_id}  {item.release.state}  {item.release.title}")


@source.command(cls=IdCommand)
@click.argument("public_id", metavar="[ID]", required=False)
@click.option("--now", "at_once", is_flag=True, help="Fetch the source although it is not due.")
@json_option
def poll(public_id: str | None, at_once: bool, as_json: bool) -> None:
    """Fetch what is due. With ID and --now, fetch this source now."""
    if bool(public_id) != at_once:
        raise click.UsageError("Give an ID together with --now, or neither of them.")
    parts = open_runtime()
    if public_id:
        with parts.reading() as session:
            if find_source(session, public_id).state is not SourceState.ACTIVE:
                raise StateConflict(f"The source is not active. First: newsletter source resume {public_id}")
    tally = poll_sources(parts, lambda: False, only=public_id)
    _print_tally(tally, as_json)
    if public_id and not tally.fetched:
        raise StateConflict("Another process is fetching this source. Try again in a minute.")
    sys.exit(1 if tally.failed else 0)


@source.command(cls=IdCommand)
@click.argument("public_id", metavar="ID")
def pause(public_id: str) -> None:
    """Stop fetching a source."""
    parts = open_runtime()
    with parts.session() as session:
        pause_source(session, public_id, ACTOR, parts.now())
        session.commit()
    click.echo("It is paused.")


@source.command(cls=IdCommand)
@click.argument("public_id", metavar="ID")
def resume(public_id: str) -> None:
    """Fetch a paused or ended source again."""
    parts = open_runtime()
    with parts.session() as session:
        resume_source(session, public_id, ACTOR, parts.now())
        session.commit()
    click.echo("It is fetched within a minute.")


@source.command(cls=IdCommand)
@click.argument("public_id", metavar="ID")
def remove(public_id: str) -> None:
    """Remove a source and its history. Its releases stay."""
    parts = open_runtime()
    with parts.session() as session:
        name = remove_source(session, public_id, ACTOR, parts.now())
        session.commit()
    click.echo(f"Removed: {name}")


@source.command(cls=IdCommand)
@click.argument("public_id", metavar="ID")
@click.argument("needed", metavar="on|off", type=click.Choice(["on", "off"]))
def approval(public_id: str, needed: str) -> None:
    """Let the new releases of a source wait for approval: newsletter release approve."""
    parts = open_runtime()
    with parts.session() as session:
        need_approval(session, public_id, needed == "on", ACTOR, parts.now())
        session.commit()


@source.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@interval_option
@settle_option
@backlog_option
def import_(file: Path, interval: int, settle: int, backlog: str) -> None:
    """Add the feeds of an OPML file. Those that are there already stay as they are.

    If an address cannot be a source, the others are still added, and the exit status is 1.
    """
    with file.open("rb") as opened:
        outlines = read_opml(opened.read(LARGEST_BYTES + 1))
    parts = open_runtime()
    added = known = failed = 0
    for each in outlines:
        try:
            with parts.session() as session:
                add_source(
                    session,
                    each.url,
                    name=each.title,
                    site_url=each.site_url,
                    interval_minutes=interval,
                    settle_minutes=settle,
                    backlog=backlog,
                    allowed=Allowed.of(parts.settings.fetch_allow),
                    actor=ACTOR,
                    now=parts.now(),
                )
                session.commit()
            added += 1
        except StateConflict:
            known += 1
        except NewsletterError as fault:
            failed += 1
            click.echo(f"newsletter: {each.url}: {fault}", err=True)
    click.echo(f"Added: {added}. Known already: {known}. Not added: {failed}.")
    sys.exit(1 if failed else 0)


@source.command()
def export() -> None:
    """Print the feeds as OPML."""
    with open_runtime().reading() as session:
        feeds = [each for each in list_sources(session) if each.kind is SourceKind.FEED]
        made = write_opml("Sources", [Outline(each.url, each.name, each.site_url) for each in feeds])
    click.echo(made.decode(), nl=False)


def _print(found: Source, items: int, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "id": found.public_id,
                "kind": found.kind,
                "url": found.url,
                "name": found.name,
                "state": found.state,
                "reason": found.state_reason,
                "items": items,
                "interval_minutes": found.interval_minutes,
                "settle_minutes": found.settle_minutes,
                "backlog": found.backlog,
                "full_text": found.full_text,
                "select": found.link_selector,
                "pattern": found.link_pattern,
                "failures": found.failures,
                "last_read_at": found.last_read_at and found.last_read_at.isoformat(),
                "next_at": found.next_at.isoformat(),
            }
        )
        return
    state = f"{found.state}: {found.state_reason}" if found.state_reason else str(found.state)
    if found.failures:
        state += f"; failed {found.failures} times"
    read = f"{found.last_read_at:%Y-%m-%d %H:%M}" if found.last_read_at else "not yet"
    click.echo(f"{found.public_id}  {found.name or found.url}")
    click.echo(f"              {found.url}")
    click.echo(f"              {state}; last read {read}; {items} items")


def _print_trial(trial: Trial, topics: list[list[str]], as_json: bool) -> None:
    if not as_json:
        where = "" if trial.url == trial.asked else f" The page {trial.asked} names it."
        click.echo(f"{trial.title or trial.url}  ({trial.kind}, {len(trial.items)} items)")
        click.echo(f"  {trial.url}.{where}")
        for problem in trial.problems:
            click.echo(f"  not read: {problem}", err=True)
    for item, slugs in zip(trial.items, topics, strict=False):
        day = item.published.isoformat() if item.published else None
        if as_json:
            print_json(
                {
                    "title": item.title,
                    "published": day,
                    "publisher": item.publisher,
                    "language": item.language,
                    "url": item.url,
                    "topics": slugs,
                    "doubts": item.doubts,
                    "summary": item.summary,
                }
            )
        else:
            under = ", ".join(slugs) or "no topic"
            click.echo(f"  {day or 'no date   '}  {item.title}  [{under}]")
            if item.doubts:
                click.echo(f"              would be held: {say_doubts(item.doubts)}")


def _print_tally(tally: Tally, as_json: bool) -> None:
    for public_id, fetched, counts in tally.results:
        if as_json:
            print_json(
                {
                    "id": public_id,
                    "outcome": fetched.outcome,
                    "status": fetched.status,
                    "items": counts.items,
                    "added": counts.added,
                    "changed": counts.changed,
                    "message": fetched.message,
                }
            )
        elif counts.added or counts.changed or fetched.outcome not in GOOD or len(tally.results) == 1:
            words = f"  {fetched.message}" if fetched.message else ""
            new = f"{counts.added} new, {counts.changed} changed"
            click.echo(f"{public_id}  {fetched.outcome}; {new}{words}")
    if not as_json:
        click.echo(f"Fetched: {tally.fetched}. New releases: {tally.added}. Failed: {tally.failed}.")
