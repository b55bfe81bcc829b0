"""`newsletter digest order`: show or change the sections and the order of one issue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TextIO

import click

from newsletter.cli.arguments import IdCommand, newsletter_option
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime
from newsletter.digest.order.change import GivenSection, change_order
from newsletter.digest.order.listed import ListedRelease, list_releases
from newsletter.digest.order.store import find_row
from newsletter.digest.order.targets import find_target
from newsletter.errors import InputError
from newsletter.models import order_of_target
from newsletter.models.hand_order import HandOrder
from newsletter.newsletters.queries import choose_newsletter
from newsletter.runtime import Runtime

ACTOR = "command line"
MOST_BYTES = 200_000
_EXAMPLE = {
    "version": 1,
    "sections": [{"title": "Top stories", "titles": {"de": "Das Wichtigste"}, "releases": ["ID", "ID"]}],
}
_SHAPE = f"Write, for example, {json.dumps(_EXAMPLE)}"


@click.command(cls=IdCommand)
@click.argument("target", metavar="ISSUE")
@newsletter_option
@click.option("--section", "lines", multiple=True, metavar="TITLE=ID,ID", help="A section; one or more.")
@click.option(
    "--from", "file", type=click.File("r", encoding="utf-8"), metavar="FILE",
    help="Sections as JSON, as --json prints them. - reads standard input.",
)  # fmt: skip
@click.option("--automatic", is_flag=True, help="Remove all sections.")
@click.option("--version", type=int, metavar="N", help="The version that this replaces, if there is one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def order(
    target: str,
    newsletter_slug: str | None,
    lines: tuple[str, ...],
    file: TextIO | None,
    automatic: bool,
    version: int | None,
    as_json: bool,
) -> None:
    """Show or change the sections and the order of an issue that is not prepared yet.

    ISSUE is the date of a scheduled issue, the ID of a planned one, "as-it-happens" or "by-hand". The latter
    is the next issue that a person sends. Without sections, an issue is in automatic order: by topic, pinned
    releases first. Sections come first, and other releases follow them.
    """
    parts = open_runtime()
    if (file is not None) + bool(lines) + automatic > 1:
        raise click.UsageError("Give one of --section, --from and --automatic.")
    with parts.reading() as session:
        newsletter_id = choose_newsletter(session, newsletter_slug).id
    given: Sequence[GivenSection] | None = [] if automatic else None
    if lines:
        given = [_read_line(each) for each in lines]
    elif file is not None:
        given, named = _read_file(file)
        version = named if version is None else version
    if given is not None:
        languages = parts.identities.recent(parts.reading, newsletter_id).languages
        with parts.session() as session:
            change_order(
                session, newsletter_id, target, given, version or 0,
                languages=languages, actor=ACTOR, now=parts.now(),
            )  # fmt: skip
            session.commit()
    _show(parts, newsletter_id, target, as_json=as_json)


def _read_line(line: str) -> GivenSection:
    title, equals, ids = line.rpartition("=")
    if not equals:
        raise InputError(f"{line} is no section. Write, for example: --section 'Top stories=ID,ID'")
    return GivenSection(title, [each.strip() for each in ids.split(",") if each.strip()])


def _read_file(file: TextIO) -> tuple[list[GivenSection], int | None]:
    """Return the sections and the version in a file. Raises InputError."""
    try:
        found = json.loads(file.read(MOST_BYTES))
    except (ValueError, RecursionError) as fault:
        raise InputError(f"{file.name} is not JSON. {_SHAPE}") from fault
    match found:
        case {"sections": [*sections]}:
            version = found.get("version")
            made = [_read_section(each) for each in sections]
            return made, version if isinstance(version, int) and version >= 0 else None
    raise InputError(f"{file.name} has no sections. {_SHAPE}")


def _read_section(given: Any) -> GivenSection:
    match given:
        case {"title": str(title), "releases": [*releases]} if all(
            isinstance(each, str) for each in releases
        ):
            titles = given.get("titles") or {}
            if isinstance(titles, dict) and all(isinstance(each, str) for each in titles.values()):
                return GivenSection(title, releases, titles)
    raise InputError(f"A section is not as it should be. {_SHAPE}")


def _show(parts: Runtime, newsletter_id: int, name: str, *, as_json: bool) -> None:
    with parts.reading() as session:
        target = find_target(session, newsletter_id, name, parts.now())
        row = find_row(session, newsletter_id, target.name)
        stored = order_of_target(session, newsletter_id, target.name)
        listed = list_releases(session, target, stored)
        version = row.version if row else 0
        if as_json:
            print_json(_as_json(target.name, version, target.closed, stored, listed))
            return
        click.echo(f"{target.words}: " + (f"version {version}" if version else "never changed"))
        if target.closed:
            click.echo(f"  {target.closed}")
        by_id = {each.release.id: each for each in listed}
        for section in stored:
            click.echo(f"  {section.title}")
            for each in section.release_ids:
                _print(by_id.get(each))
        click.echo("  (by topic)")
        placed = {each for section in stored for each in section.release_ids}
        for one in listed:
            if one.release.id not in placed:
                _print(one)


def _print(one: ListedRelease | None) -> None:
    if one is not None:
        topics = ", ".join(one.topics)
        note = (
            "" if one.waits else f", {one.release.state}" if one.release.state != "ready" else ", not waiting"
        )
        click.echo(f"    {one.release.public_id}  {one.release.title}  ({topics}{note})")


def _as_json(
    name: str, version: int, closed: str, stored: HandOrder, listed: Sequence[ListedRelease]
) -> dict[str, Any]:
    ids = {each.release.id: each.release.public_id for each in listed}
    placed = {one for section in stored for one in section.release_ids}
    return {
        "issue": name,
        "version": version,
        "closed": closed,
        "sections": [
            {
                "title": section.title,
                "titles": dict(section.translations),
                "releases": [ids[each] for each in section.release_ids if each in ids],
            }
            for section in stored
        ],
        "others": [
            {
                "id": each.release.public_id,
                "title": each.release.title,
                "topics": each.topics,
                "state": each.release.state,
                "waits": each.waits,
            }
            for each in listed
            if each.release.id not in placed
        ],
    }
