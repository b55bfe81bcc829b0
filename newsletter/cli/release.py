"""`newsletter release`: parse, add, list, search, hold, exclude and pin press releases."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TextIO

import click
from sqlalchemy.orm import Session

from newsletter.cli.arguments import IdCommand
from newsletter.cli.context import print_json
from newsletter.cli.duplicates import different, duplicates, merge, places, unmerge
from newsletter.cli.release_mail import not_urgent, notice, urgent
from newsletter.cli.runtime import open_runtime
from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.feeds.feed import Item
from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.ingest.pages.charset import LARGEST_BYTES
from newsletter.ingest.pages.document import fetch_release, is_url, read_release
from newsletter.ingest.press.parse import PressRelease
from newsletter.ingest.press.parse import as_json as release_as_json
from newsletter.ingest.sources.fetch import make_retriever
from newsletter.models import HoldReason, Release, ReleaseHold, ReleaseState
from newsletter.releases.duplicates.queries import merged_into
from newsletter.releases.editing.body import LONGEST_BYTES
from newsletter.releases.editing.delete import delete_release, undo_delete
from newsletter.releases.editing.edit import ReleaseAction, change_release
from newsletter.releases.editing.edit_fields import edit_release, form_values
from newsletter.releases.editing.embargo import embargo_moment, lift_embargo, read_zone, set_embargo
from newsletter.releases.from_sources.approve import approve as approve_release
from newsletter.releases.from_sources.approve import waiting_for_approval
from newsletter.releases.from_sources.backlog import send_after_all
from newsletter.releases.queries import find_release, find_seen, newest_releases
from newsletter.releases.search.find import Filters, Order, search_releases
from newsletter.releases.store import add_release, first_zone
from newsletter.releases.topics.manage import find_topic

ACTOR = "command line"
# After these actions, nobody sees the release any more.
WITHDRAWING = {ReleaseAction.HOLD, ReleaseAction.EXCLUDE}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
files_argument = click.argument(
    "files", nargs=-1, required=True, metavar="FILE|URL|-...", type=click.Path(allow_dash=True)
)


@click.group()
def release() -> None:
    """Press releases: add, parse, list, hold, exclude, pin."""


@release.command()
@files_argument
def parse(files: tuple[str, ...]) -> None:
    """Print the parsed content of each FILE or URL, one JSON object a line, in the given order.

    A file is plain text or an HTML page.
    """
    failed = False
    for name, found in _read(files):
        failed |= isinstance(found, ReleaseUnreadable)
        print_json(release_as_json(name, found))
    sys.exit(1 if failed else 0)


@release.command()
@files_argument
@click.option(
    "--topic", "topics", multiple=True, metavar="SLUG", help="A topic beside those whose rules match."
)
@click.option("--held", is_flag=True, help="Keep it back until somebody has looked at it.")
@json_option
def add(files: tuple[str, ...], topics: tuple[str, ...], held: bool, as_json: bool) -> None:
    """Add the press release in each FILE (plain text or an HTML page; - reads standard input) or at each URL.

    All files are read before the first is stored. If a file cannot be read, the others are still added, and
    the exit status is 1.
    """
    parts = open_runtime()
    failed = False
    for _, found in list(_read(files)):
        if isinstance(found, ReleaseUnreadable):
            failed = True
            click.echo(f"newsletter: {found}", err=True)
            continue
        with parts.session() as session:
            state = ReleaseState.HELD if held else ReleaseState.READY
            stored, is_new = add_release(session, found, now=parts.now(), topics=topics, state=state)
            session.commit()
            merged = merged_into(session, stored.id)
            _print(stored if merged is None else merged, as_json, known=not is_new or merged is not None)
    sys.exit(1 if failed else 0)


@release.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@json_option
def list_(limit: int, as_json: bool) -> None:
    """List releases, the newest first."""
    with open_runtime().reading() as session:
        for each in newest_releases(session, limit):
            _print(each, as_json)


@release.command()
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@click.option("--topic", metavar="SLUG", help="Only releases under this topic.")
@click.option("--publisher", default="", metavar="NAME", help="Only releases of this publisher.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="The earliest date.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The latest date.")
@click.option(
    "--by",
    "order",
    type=click.Choice([each.value for each in Order]),
    default=Order.NEWEST.value,
    show_default=True,
    help="The order: by date, or those with the words in the title first.",
)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1_000))
@json_option
def search(
    words: tuple[str, ...],
    topic: str | None,
    publisher: str,
    since: datetime | None,
    until: datetime | None,
    order: str,
    limit: int,
    as_json: bool,
) -> None:
    """List the releases, in whatever state, that have all the words."""
    with open_runtime().reading() as session:
        filters = Filters(
            topic_id=find_topic(session, topic).id if topic else None,
            publisher=publisher,
            since=since.date() if since else None,
            until=until.date() if until else None,
        )
        found = search_releases(session, " ".join(words), filters, order=Order(order), per_page=limit)
        for each in found.page.items:
            _print(each, as_json)
        if not as_json:
            click.echo(f"{found.page.total}{'+' if found.is_more else ''} found", err=True)


@release.command(cls=IdCommand)
@click.argument("public_id", metavar="ID")
def show(public_id: str) -> None:
    """Print one release as text."""
    with open_runtime().reading() as session:
        found = find_release(session, public_id)
        click.echo(f"{found.title}\n{found.publisher}\n{found.published_on:%Y-%m-%d}\n\n{found.body_text}")


def _edit_options(command: Callable[..., None]) -> Callable[..., None]:
    for name in ("title", "publisher", "summary", "date", "time", "zone", "language"):
        command = click.option(f"--{name}", metavar="TEXT", help=f"The {name}.")(command)
    for name in ("title", "summary"):
        command = click.option(f"--email-{name}", metavar="TEXT", help=f"The {name} in emails only.")(command)
    return command


@release.command(cls=IdCommand)
@click.argument("public_id", metavar="ID")
@_edit_options
@click.option("--text", "file", type=click.File("r", "utf-8"), help="A file with the text (Markdown); or -.")
@click.option("--topic", "added", multiple=True, metavar="SLUG", help="Put it under this topic.")
@click.option("--no-topic", "taken_off", multiple=True, metavar="SLUG", help="Take it off this topic.")
@json_option
def edit(
    public_id: str,
    file: TextIO | None,
    added: tuple[str, ...],
    taken_off: tuple[str, ...],
    as_json: bool,
    **fields: str | None,
) -> None:
    """Correct a release. Without options, edit its text in $EDITOR.

    Emails that are not sent yet get the new text. Earlier texts are kept.
    """
    parts = open_runtime()
    given = {name: value for name, value in fields.items() if value is not None}
    if file is not None:
        given["body"] = file.read(LONGEST_BYTES + 1)
    with parts.reading() as session:
        found = find_release(session, public_id)
        seen, slugs = found.revision, {link.topic.slug for link in found.topic_links}
        text = form_values(found, first_zone(session))["body"]
    if not given and not added and not taken_off:
        written = click.edit(text, extension=".md")
        if written is None:
            click.echo("Nothing has changed.", err=True)
            return
        given["body"] = written
    topics = (slugs | set(added)) - set(taken_off) if added or taken_off else None
    with parts.session() as session:
        edit_release(session, public_id, given, topics=topics, revision=seen, actor=ACTOR, now=parts.now())
        session.commit()
        _print(find_release(session, public_id), as_json)


@release.command(cls=IdCommand)
@click.argument("public_id", metavar="ID")
@click.argument("until", metavar="TIME")
@click.option("--zone", metavar="NAME", help="The time zone of TIME; usually that of the first newsletter.")
@json_option
def embargo(public_id: str, until: str, zone: str | None, as_json: bool) -> None:
    """Hide a release and hold it until TIME, such as 2026-12-01T09:00. Then it becomes ready."""
    parts = open_runtime()
    with parts.session() as session:
        place = read_zone(zone) if zone else first_zone(session)
        changed = set_embargo(session, public_id, embargo_moment(until, place), ACTOR, parts.now())
        session.commit()
        _print(changed, as_json)


def _by_id(name: str, help_line: str, act: Callable[[Session, str, str, datetime], Release]) -> click.Command:
    @click.command(name, help=help_line, cls=IdCommand)
    @click.argument("public_ids", nargs=-1, required=True, metavar="ID...")
    @json_option
    def command(public_ids: tuple[str, ...], as_json: bool) -> None:
        parts = open_runtime()
        for public_id in public_ids:
            with parts.session() as session:
                changed = act(session, public_id, ACTOR, parts.now())
                session.commit()
                _print(changed, as_json)

    return command


release.add_command(_by_id("free", "End the embargo of releases now.", lift_embargo))
release.add_command(_by_id("delete", "Delete releases. No source brings them again.", delete_release))
release.add_command(_by_id("undo", "Bring deleted releases back as they were.", undo_delete))


def _steer(action: ReleaseAction) -> Callable[[Session, str, str, datetime], Release]:
    def act(session: Session, public_id: str, actor: str, now: datetime) -> Release:
        seen = find_seen(session, public_id) if action in WITHDRAWING else None
        if seen is not None:
            have, sending, waiting = seen[1]
            click.echo(
                f"{public_id}: {have:,} have it by email, {sending:,} are being sent it at this moment, and "
                f"{waiting:,} waiting emails will leave it out. Its page and its links will say that it was "
                "withdrawn.",
                err=True,
            )
        return change_release(session, public_id, action, actor, now)

    return act


for _action, _line in {
    "hold": "Keep releases back until they are made ready.",
    "exclude": "Never send these releases.",
    "ready": "Allow releases to be sent.",
    "pin": "Put releases first under their topics.",
    "unpin": "Undo pin.",
}.items():
    release.add_command(_by_id(_action, _line, _steer(ReleaseAction(_action))))


release.add_command(
    _by_id("send-after-all", "Mail releases that were old when their source was added.", send_after_all)
)


@release.command(cls=IdCommand)
@click.argument("public_ids", nargs=-1, metavar="[ID...]")
@click.option("--all", "every", is_flag=True, help="Approve all that wait.")
@json_option
def approve(public_ids: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Approve releases of sources that need it. Without an ID, list those that wait."""
    parts = open_runtime()
    with parts.reading() as session:
        waiting = waiting_for_approval(session)
        if not public_ids and not every:
            for each in waiting:
                _print(each, as_json)
            return
        chosen = public_ids or tuple(each.public_id for each in waiting)
    for public_id in chosen:
        with parts.session() as session:
            approved = approve_release(session, public_id, ACTOR, parts.now())
            session.commit()
            _print(approved, as_json)


for _command in (notice, urgent, not_urgent, merge, unmerge, different, duplicates, places):
    release.add_command(_command)


def _read(files: tuple[str, ...]) -> Iterator[tuple[str, PressRelease | Item | ReleaseUnreadable]]:
    """Yield each file's or URL's name, and its release or the error."""
    with IsolatedReader() as reader:
        for name in files:
            try:
                if is_url(name):
                    yield name, fetch_release(make_retriever(open_runtime().settings), reader, name)
                else:
                    yield name, read_release(reader, _bytes(name), name)
            except OSError as fault:
                yield name, ReleaseUnreadable(name, f"cannot be read: {fault.strerror}")
            except ReleaseUnreadable as fault:
                yield name, fault


def _bytes(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read(LARGEST_BYTES + 1)
    with Path(name).open("rb") as file:
        return file.read(LARGEST_BYTES + 1)


def _print(stored: Release, as_json: bool, *, known: bool = False) -> None:
    topics = [link.topic.slug for link in stored.topic_links]
    if as_json:
        print_json(
            {
                "id": stored.public_id,
                "title": stored.title,
                "publisher": stored.publisher,
                "published": stored.published_on.isoformat(),
                "state": stored.state,
                "holds": [{"reason": each.reason, "fields": each.fields} for each in stored.holds],
                "pinned": stored.pinned,
                "deleted": stored.deleted_at is not None,
                "embargo_until": stored.embargo_until and stored.embargo_until.isoformat(),
                "revision": stored.revision,
                "topics": topics,
                "urgent": stored.urgent,
                "kept_back": stored.is_kept_back,
                "known": known,
            }
        )
        return
    marks = ["deleted" if stored.deleted_at else stored.state, *(["pinned"] if stored.pinned else [])]
    if stored.urgent:
        marks.append("urgent")
    if stored.is_kept_back:
        marks.append("kept back: it was old when its source was added")
    where = ", ".join(topics) or "no topic: nobody gets it until a topic's rules or --topic name it"
    note = " (known already)" if known else ""
    click.echo(f"{stored.public_id}  {stored.published_on:%Y-%m-%d}  {stored.title}{note}")
    click.echo(f"              {', '.join(marks)}; {where}")
    for each in stored.holds:
        if each.reason is not HoldReason.EDITOR or each.set_by != ACTOR:
            click.echo(f"              {_why(stored, each)}")


def _why(stored: Release, hold: ReleaseHold) -> str:
    if hold.reason is HoldReason.EMBARGO and hold.until:
        end = "end it now by: newsletter release free"
        return f"under embargo until {hold.until:%Y-%m-%d %H:%M} UTC; {end} {stored.public_id}"
    if hold.reason is HoldReason.DATE:
        return f"held until {stored.published_on:%Y-%m-%d}, the date of the release"
    if hold.reason is HoldReason.SETTLING and hold.until is not None:
        return f"settling: held until its source shows it unchanged, at most until {hold.until:%H:%M} UTC"
    known = {
        HoldReason.APPROVAL: f"waits for approval: newsletter release approve {stored.public_id}",
        HoldReason.GONE: "held: its source removed it while it settled",
        HoldReason.EDITOR: f"held: {hold.set_by}",
    }
    if hold.reason in known:
        return known[hold.reason]
    fields = " and ".join(hold.fields.split(",")).replace("published", "date")
    remedy = f"correct it on the release's admin page, or: newsletter release ready {stored.public_id}"
    return f"held: the {fields} may be wrong; {remedy}"
