"""`newsletter edit`: show and change the newsletter's name, sender, languages and other content."""

from __future__ import annotations

from collections.abc import Callable

import click

from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime
from newsletter.newsletters.edit import differing_settings, edit_newsletter
from newsletter.newsletters.fields import FIELDS, as_text

ACTOR = "command line"


def _field_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each field that can be edited."""
    for name, field in reversed(list(FIELDS.items())):
        words = field.help + (" In one language." if field.by_language else "")
        command = click.option(f"--{name.replace('_', '-')}", name, metavar="TEXT", help=words)(command)
    return command


@click.command()
@_field_options
@click.option(
    "--language", default="", metavar="TAG", help="Of name and tagline; the newsletter's first when left out."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def edit(language: str, as_json: bool, **given: str | None) -> None:
    """Change the newsletter. Without options, print its content.

    Running processes use the new content within seconds. An issue that is being sent keeps the look it was
    prepared with, and gets the new sender.
    """
    parts = open_runtime()
    changes = {name: text for name, text in given.items() if text is not None}
    changed: list[str] = []
    if changes:
        with parts.session() as session:
            changed = list(
                edit_newsletter(
                    session, parts.settings, changes, language=language, actor=ACTOR, now=parts.now()
                )
            )
            session.commit()
        parts.identities.forget()
    identity = parts.identities.recent(parts.reading)
    values = as_text(identity, language or identity.languages[0])
    if as_json:
        print_json({**values, "version": identity.version, "changed": changed})
    elif changes:
        click.echo(f"Changed: {', '.join(changed)}." if changed else "Nothing has changed.")
    else:
        for name, text in values.items():
            click.echo(f"{FIELDS[name].label + ':':<18}{text}".rstrip())
    for variable in differing_settings(parts.settings, identity):
        click.echo(f"newsletter: {variable} still has another value, which is not used.", err=True)
