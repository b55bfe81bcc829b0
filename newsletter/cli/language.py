"""`newsletter language`: list, add and update the languages of pages and emails."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import click
from babel.messages import Message

from newsletter.languages import LANGUAGES, language_name
from newsletter.service import catalogues


@click.group()
def language() -> None:
    """Languages of pages and emails."""
    # Catalogues are part of the program, which every user of the machine may read.
    os.umask(0o022)


@language.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a language.")
def list_languages(as_json: bool) -> None:
    """List the languages of pages and emails."""
    for each in LANGUAGES:
        if as_json:
            click.echo(json.dumps({"language": each, "name": language_name(each)}, ensure_ascii=False))
        else:
            click.echo(f"{each:8}{language_name(each)}")


@language.command()
@click.argument("code")
def add(code: str) -> None:
    """Add the language CODE (such as pl or pt-BR) and say what to translate."""
    file, left = catalogues.add(code)
    click.echo(f"Translate the {len(left)} texts in {_shown(file)}.")
    click.echo("Placeholders such as %(name)s and tags stay; plural forms follow the file's header.")
    click.echo(
        "The language is on offer from now on. To hide it meanwhile, leave it out of NEWSLETTER_LANGUAGES."
    )
    click.echo("Then add its consent wording in newsletter/subscribers, and run `make test`.")


@language.command()
def update() -> None:
    """Add new texts to every catalogue, remove unused ones, and list what is not translated."""
    missing = 0
    for each in catalogues.languages_to_translate():
        left = catalogues.update(each)
        missing += len(left)
        click.echo(f"{each:8}{'complete' if not left else f'{len(left)} to translate'}")
        _print(left)
    if missing:
        raise SystemExit(1)


def _print(left: Sequence[Message]) -> None:
    for message in left:
        text = message.id if isinstance(message.id, str) else message.id[0]
        click.echo(f"        {text}")


def _shown(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
