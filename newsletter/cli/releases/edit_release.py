"""`newsletter release write`, `edit` and `corrections`, and the image of a release from a URL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import BinaryIO, TextIO

import click

from newsletter.cli.arguments import IdCommand
from newsletter.cli.releases.print_release import ACTOR, print_release
from newsletter.cli.runtime import open_runtime
from newsletter.errors import FetchError, InputError
from newsletter.images.encoder import MOST_BYTES, ImageEncoder
from newsletter.images.store import store_image
from newsletter.ingest.feeds.feed import Item
from newsletter.ingest.fetch_image import fetch_image
from newsletter.ingest.press.parse import PressRelease
from newsletter.ingest.sources.reading.fetch import make_retriever
from newsletter.releases.editing.body import LONGEST_BYTES
from newsletter.releases.editing.edit_fields import edit_release, form_values, sentence_case, write_release
from newsletter.releases.queries import find_release
from newsletter.releases.revisions.differences import differences
from newsletter.releases.revisions.store import Texts
from newsletter.releases.store import first_zone
from newsletter.runtime import Runtime

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
# How words that were removed and added are marked.
_MARKS = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}


_HELP = {
    "title": "The title.",
    "publisher": "The publisher.",
    "summary": "The summary.",
    "date": "The date of publication, such as 2026-03-10.",
    "time": "The time of publication, such as 08:00.",
    "zone": "The time zone of --time, such as Europe/Berlin.",
    "language": "The language tag, such as de or pt-BR.",
}


def _edit_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, words in _HELP.items():
        command = click.option(f"--{name}", metavar="TEXT", help=words)(command)
    for name in ("title", "summary"):
        command = click.option(f"--email-{name}", metavar="TEXT", help=f"The {name} in emails only.")(command)
    return command


@click.command(cls=IdCommand)
@click.argument("public_id", metavar="ID")
@_edit_options
@click.option("--image", type=click.File("rb"), help="A file with the image: JPEG, PNG, GIF or WebP.")
@click.option("--image-alt", metavar="TEXT", help="What the image shows, for people who do not see it.")
@click.option("--no-image", is_flag=True, help="Remove the image.")
@click.option("--sentence-case", "lowers", is_flag=True, help="Write a title in capitals as a sentence.")
@click.option("--text", "file", type=click.File("r", "utf-8"), help="A file with the text (Markdown); or -.")
@click.option("--topic", "added", multiple=True, metavar="SLUG", help="Put it under this topic.")
@click.option("--no-topic", "taken_off", multiple=True, metavar="SLUG", help="Take it off this topic.")
@json_option
def edit(
    public_id: str,
    file: TextIO | None,
    added: tuple[str, ...],
    taken_off: tuple[str, ...],
    image: BinaryIO | None,
    no_image: bool,
    lowers: bool,
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
    if image is not None:
        given["image"] = _stored_image(parts, image.read(MOST_BYTES + 1))
    elif no_image:
        given["image"] = ""
    with parts.reading() as session:
        found = find_release(session, public_id)
        seen, slugs = found.revision, {link.topic.slug for link in found.topic_links}
        text = form_values(found, first_zone(session))["body"]
        if lowers:
            given["title"] = sentence_case(given.get("title", found.title)) or found.title
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
        print_release(find_release(session, public_id), as_json)


@click.command()
@_edit_options
@click.option("--image", type=click.File("rb"), help="A file with the image: JPEG, PNG, GIF or WebP.")
@click.option("--image-alt", metavar="TEXT", help="What the image shows. Needed with an image.")
@click.option(
    "--text",
    "file",
    type=click.File("r", "utf-8"),
    required=True,
    help="A file with the text (Markdown); or -.",
)
@click.option("--topic", "topics", multiple=True, metavar="SLUG", help="Put it under this topic.")
@json_option
def write(
    file: TextIO, topics: tuple[str, ...], image: BinaryIO | None, as_json: bool, **fields: str | None
) -> None:
    """Store a release that you wrote. It is held until you make it ready.

    It also comes under the topics whose rules match.
    """
    parts = open_runtime()
    given = {name: value for name, value in fields.items() if value is not None}
    given["body"] = file.read(LONGEST_BYTES + 1)
    if image is not None:
        given["image"] = _stored_image(parts, image.read(MOST_BYTES + 1))
    with parts.session() as session:
        made = write_release(session, given, topics=topics, actor=ACTOR, now=parts.now())
        session.commit()
        print_release(made, as_json)


@click.command(cls=IdCommand)
@click.argument("public_id", metavar="ID")
def corrections(public_id: str) -> None:
    """Print what each correction of a release changed, the oldest first."""
    with open_runtime().reading() as session:
        for before, after in pairwise(find_release(session, public_id).revisions):
            click.echo(f"Revision {after.number}, {after.made_at:%Y-%m-%d %H:%M} UTC, by {after.made_by}")
            for each in differences(Texts.of(before), Texts.of(after)):
                click.echo(f"  {each.field}:")
                for pieces in each.paragraphs:
                    click.echo("    " + "".join(_MARKS[kind].format(words) for kind, words in pieces))


def _stored_image(parts: Runtime, content: bytes) -> str:
    """Encode and store an image; return its hash."""
    with ImageEncoder() as encoder:
        encoded = encoder.encode(content)
    with parts.session() as session:
        image_hash = store_image(session, encoded, parts.now())
        session.commit()
    return image_hash


def with_image(parts: Runtime, found: PressRelease | Item) -> PressRelease | Item:
    """Return the release of a URL, with the image of its page if that can be read."""
    if not isinstance(found, Item) or not found.image_url:
        return found
    try:
        with ImageEncoder() as encoder:
            encoded = fetch_image(make_retriever(parts.settings), encoder, found.image_url)
    except (FetchError, InputError) as fault:
        click.echo(f"newsletter: the image {found.image_url} was not taken: {fault}", err=True)
        return found
    with parts.session() as session:
        image_hash = store_image(session, encoded, parts.now())
        session.commit()
    return replace(found, image_hash=image_hash)
