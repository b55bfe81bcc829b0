"""`newsletter add`, `list` and `edit`: add newsletters, and show and change their content."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

import click

from newsletter.cli.arguments import newsletter_option
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime
from newsletter.identity import Identity
from newsletter.newsletters.add import add_newsletter
from newsletter.newsletters.edit import differing_settings, edit_newsletter
from newsletter.newsletters.fields import FIELDS, as_text
from newsletter.newsletters.logo import MOST_BYTES
from newsletter.newsletters.queries import choose_newsletter, list_newsletters
from newsletter.runtime import Runtime

ACTOR = "command line"


def _field_options(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add an option for each field that can be edited, except those left out."""

    def add_options(command: Callable[..., None]) -> Callable[..., None]:
        for name, field in reversed(list(FIELDS.items())):
            if name in left_out:
                continue
            words = field.help + (" In one language." if field.by_language else "")
            command = click.option(f"--{name.replace('_', '-')}", name, metavar="TEXT", help=words)(command)
        return command

    return add_options


@click.command()
@click.argument("slug")
@_field_options("slug")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def add(slug: str, as_json: bool, **given: str | None) -> None:
    """Add a newsletter. SLUG is its short name in URLs.

    --name and --from-address are needed. Postal address, languages, time zone and default frequency are those
    of the first newsletter if you leave them out. Texts are in the newsletter's first language.
    """
    parts = open_runtime()
    fields = {name: text for name, text in given.items() if text is not None}
    with parts.session() as session:
        made = add_newsletter(
            session, parts.settings, slug=slug, fields=fields, actor=ACTOR, now=parts.now()
        ).id
        session.commit()
    parts.identities.forget()
    identity = parts.identities.recent(parts.reading, made)
    if as_json:
        print_json({**as_text(identity, identity.languages[0]), "version": identity.version})
        return
    click.echo(_line(identity))
    click.echo(f"Give it topics: newsletter topic add SLUG NAME --newsletter {identity.slug}")


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def list_(as_json: bool) -> None:
    """List the newsletters, in the order of the page that lists them."""
    parts = open_runtime()
    with parts.reading() as session:
        identities = [parts.identities.of(session, row.id) for row in list_newsletters(session)]
    for each in identities:
        if as_json:
            print_json({**as_text(each, each.languages[0]), "version": each.version})
        else:
            click.echo(_line(each))


def _logo_url(parts: Runtime, identity: Identity) -> str:
    return parts.links.logo(identity.logo.file_name) if identity.logo else ""


def _line(identity: Identity) -> str:
    return f"{identity.slug}  {identity.name}  {identity.sender_name} <{identity.from_address}>"


@click.command()
@newsletter_option
@_field_options()
@click.option(
    "--language",
    default="",
    metavar="TAG",
    help="The language of name, tagline and consent wording. If left out: the newsletter's first.",
)
@click.option(
    "--logo",
    type=click.File("rb"),
    help="An image file (PNG, JPEG, GIF or WebP, at most 2 MB) for pages and emails.",
)
@click.option("--no-logo", is_flag=True, help="Remove the logo.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def edit(
    newsletter_slug: str | None,
    language: str,
    logo: BinaryIO | None,
    no_logo: bool,
    as_json: bool,
    **given: str | None,
) -> None:
    """Change a newsletter. Without options, print its content.

    Running processes use the new content within seconds. An issue that is being sent keeps the look it was
    prepared with, and gets the new sender.
    """
    parts = open_runtime()
    with parts.reading() as session:
        newsletter_id = choose_newsletter(session, newsletter_slug).id
    changes = {name: text for name, text in given.items() if text is not None}
    changed: list[str] = []
    # One byte more than is allowed, so that a large file is refused without being read.
    file = logo.read(MOST_BYTES + 1) if logo else None
    edits = bool(changes or logo or no_logo)
    if edits:
        with parts.session() as session:
            changed = list(
                edit_newsletter(
                    session,
                    parts.settings,
                    changes,
                    language=language,
                    logo=file,
                    no_logo=no_logo,
                    actor=ACTOR,
                    now=parts.now(),
                    newsletter_id=newsletter_id,
                )
            )
            session.commit()
        parts.identities.forget()
    identity = parts.identities.recent(parts.reading, newsletter_id)
    values = as_text(identity, language or identity.languages[0])
    if as_json:
        print_json(
            {
                **values,
                "logo": _logo_url(parts, identity),
                "version": identity.version,
                "changed": changed,
            }
        )
    elif edits:
        click.echo(f"Changed: {', '.join(changed)}." if changed else "Nothing has changed.")
    else:
        for name, text in values.items():
            click.echo(f"{FIELDS[name].label + ':':<28}{text}".rstrip())
        click.echo(f"{'Logo:':<28}{_logo_url(parts, identity)}".rstrip())
    for variable in differing_settings(parts.settings, identity):
        click.echo(f"newsletter: {variable} still has another value, which is not used.", err=True)
