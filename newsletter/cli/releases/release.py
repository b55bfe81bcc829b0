"""`newsletter release`: parse, add, list, search, hold, exclude and pin press releases."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy.orm import Session

from newsletter.cli.arguments import IdCommand
from newsletter.cli.context import print_json
from newsletter.cli.releases.duplicates import different, duplicates, merge, places, unmerge
from newsletter.cli.releases.edit_release import corrections, edit, with_image, write
from newsletter.cli.releases.print_release import ACTOR, print_release
from newsletter.cli.releases.release_mail import not_urgent, notice, urgent
from newsletter.cli.runtime import open_runtime
from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.feeds.feed import Item
from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.ingest.pages.charset import LARGEST_BYTES
from newsletter.ingest.pages.document import fetch_release, is_url, read_release
from newsletter.ingest.press.parse import PressRelease
from newsletter.ingest.press.parse import as_json as release_as_json
from newsletter.ingest.sources.reading.fetch import make_retriever
from newsletter.models import Release, ReleaseState
from newsletter.releases.duplicates.queries import merged_into
from newsletter.releases.editing.delete import delete_release, undo_delete
from newsletter.releases.editing.edit import ReleaseAction, change_release
from newsletter.releases.editing.embargo import embargo_moment, lift_embargo, read_zone, set_embargo
from newsletter.releases.from_sources.approve import approve as approve_release
from newsletter.releases.from_sources.approve import waiting_for_approval
from newsletter.releases.from_sources.backlog import send_after_all
from newsletter.releases.queries import Recipients, find_release, find_seen, newest_releases
from newsletter.releases.search.find import Filters, Order, search_releases
from newsletter.releases.store import add_release, first_zone
from newsletter.releases.topics.manage import find_topic

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
    for _, read in list(_read(files)):
        if isinstance(read, ReleaseUnreadable):
            failed = True
            click.echo(f"newsletter: {read}", err=True)
            continue
        found = with_image(parts, read)
        with parts.session() as session:
            state = ReleaseState.HELD if held else ReleaseState.READY
            stored, is_new = add_release(session, found, now=parts.now(), topics=topics, state=state)
            session.commit()
            merged = merged_into(session, stored.id)
            is_known = not is_new or merged is not None
            print_release(stored if merged is None else merged, as_json, known=is_known)
    sys.exit(1 if failed else 0)


@release.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@json_option
def list_(limit: int, as_json: bool) -> None:
    """List releases, the newest first."""
    with open_runtime().reading() as session:
        for each in newest_releases(session, limit):
            print_release(each, as_json)


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
            print_release(each, as_json)
        if not as_json:
            click.echo(f"{found.page.total}{'+' if found.is_more else ''} found", err=True)


@release.command(cls=IdCommand)
@click.argument("public_id", metavar="ID")
def show(public_id: str) -> None:
    """Print one release as text."""
    with open_runtime().reading() as session:
        found = find_release(session, public_id)
        click.echo(f"{found.title}\n{found.publisher}\n{found.published_on:%Y-%m-%d}\n\n{found.body_text}")


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
        seen = find_seen(session, public_id)
        changed = set_embargo(session, public_id, embargo_moment(until, place), ACTOR, parts.now())
        session.commit()
        _say_who_has_it(public_id, seen, "there is no such page until then")
        print_release(changed, as_json)


def _say_who_has_it(public_id: str, seen: tuple[Release, Recipients] | None, said: str) -> None:
    """Print how many people have a release that was taken off the public pages, if people have seen it."""
    if seen is not None:
        have, sending, waiting = seen[1]
        click.echo(
            f"{public_id}: {have:,} have it by email, {sending:,} are being sent it at this moment, and "
            f"{waiting:,} waiting emails will leave it out. Its page and its links will say that {said}.",
            err=True,
        )


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
                print_release(changed, as_json)

    return command


release.add_command(_by_id("free", "End the embargo of releases now.", lift_embargo))


def _delete(session: Session, public_id: str, actor: str, now: datetime) -> Release:
    _say_who_has_it(public_id, find_seen(session, public_id), "it was withdrawn")
    return delete_release(session, public_id, actor, now)


release.add_command(_by_id("delete", "Delete releases. No source brings them again.", _delete))
release.add_command(_by_id("undo", "Bring deleted releases back as they were.", undo_delete))


def _steer(action: ReleaseAction) -> Callable[[Session, str, str, datetime], Release]:
    def act(session: Session, public_id: str, actor: str, now: datetime) -> Release:
        if action in WITHDRAWING:
            _say_who_has_it(public_id, find_seen(session, public_id), "it was withdrawn")
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
    _by_id("send-after-all", "Email releases that were old when their source was added.", send_after_all)
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
                print_release(each, as_json)
            return
        chosen = public_ids or tuple(each.public_id for each in waiting)
    for public_id in chosen:
        with parts.session() as session:
            approved = approve_release(session, public_id, ACTOR, parts.now())
            session.commit()
            print_release(approved, as_json)


for _command in (
    write,
    edit,
    corrections,
    notice,
    urgent,
    not_urgent,
    merge,
    unmerge,
    different,
    duplicates,
    places,
):
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
