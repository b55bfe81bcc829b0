"""`newsletter template`: show, check, save and restore the templates of a newsletter's issues."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
from sqlalchemy.orm import Session

from newsletter.cli.arguments import newsletter_option
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime
from newsletter.errors import InputError, TemplateInvalid
from newsletter.messages.digests.render import NewsletterRenderer
from newsletter.messages.templates.parts import PARTS
from newsletter.newsletters.queries import choose_newsletter
from newsletter.newsletters.templates.check import check_templates, fault_sentences
from newsletter.newsletters.templates.versions import (
    find_version,
    list_versions,
    read_sources,
    save_templates,
    sources_of,
)
from newsletter.runtime import Runtime

ACTOR = "command line"
# The name of a part's usual file, such as frame.html, names the part.
_FILES = {Path(part.file).name: name for name, part in PARTS.items()}
_SIGNS = {"added": "+", "removed": "-", "same": " ", "place": "@@"}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
files_argument = click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)


@click.group()
def template() -> None:
    """The templates of a newsletter's issues.

    The name of a file says which part it is: frame.html, release.html, style.css, dark.css, frame.txt or
    release.txt.
    """


@template.command("list")
@newsletter_option
@json_option
def list_(newsletter_slug: str | None, as_json: bool) -> None:
    """List the parts, and which of them you changed."""
    parts = open_runtime()
    with parts.reading() as session:
        newsletter_id = choose_newsletter(session, newsletter_slug).id
        own = parts.renderer.of_newsletter(session, newsletter_id).own
    for file, name in _FILES.items():
        if as_json:
            print_json({"file": file, "part": name, "own": name in own.sources, "version": own.version})
        else:
            click.echo(f"{file:<14}{'yours' if name in own.sources else 'usual':<8}{PARTS[name].label}")


@template.command()
@click.argument("file", type=click.Choice(list(_FILES)))
@newsletter_option
@click.option("--version", type=click.IntRange(0), help="An earlier version; 0 is the usual template.")
def show(file: str, newsletter_slug: str | None, version: int | None) -> None:
    """Print a part as the next issue has it."""
    parts = open_runtime()
    with parts.reading() as session:
        newsletter_id = choose_newsletter(session, newsletter_slug).id
        renderer = parts.renderer.of_newsletter(session, newsletter_id)
        own = renderer.own.sources if version is None else find_version(session, newsletter_id, version)
        click.echo(sources_of(renderer, own)[_FILES[file]], nl=False)


@template.command()
@files_argument
@newsletter_option
def check(files: tuple[Path, ...], newsletter_slug: str | None) -> None:
    """Check files with sample issues in every language, together with the other parts. Save nothing."""
    parts = open_runtime()
    with parts.reading() as session:
        newsletter_id = choose_newsletter(session, newsletter_slug).id
        renderer = parts.renderer.of_newsletter(session, newsletter_id)
        sources = read_sources(renderer, {**renderer.own.sources, **_read(files)})
    try:
        made = check_templates(renderer, sources)
    except TemplateInvalid as fault:
        raise _told(fault) from fault
    click.echo(
        f"Nothing is wrong. The sample with ten releases has {made['ten'].html_bytes:,} bytes of HTML."
    )


@template.command()
@files_argument
@newsletter_option
def save(files: tuple[Path, ...], newsletter_slug: str | None) -> None:
    """Check files, and save them as a new version. The next issue has it."""
    given = _read(files)
    parts = open_runtime()
    with parts.session() as session:
        newsletter_id = choose_newsletter(session, newsletter_slug).id
        renderer = parts.renderer.of_newsletter(session, newsletter_id)
        sources = read_sources(renderer, {**renderer.own.sources, **given})
        _save(parts, session, renderer, sources)


@template.command()
@newsletter_option
@click.option("--diff", is_flag=True, help="Print the lines that each version changed.")
@json_option
def versions(newsletter_slug: str | None, diff: bool, as_json: bool) -> None:
    """List the newest 20 versions, the newest first, with the parts that each changed."""
    parts = open_runtime()
    with parts.reading() as session:
        newsletter_id = choose_newsletter(session, newsletter_slug).id
        renderer = parts.renderer.of_newsletter(session, newsletter_id)
        found = list_versions(session, renderer)
    files = {name: file for file, name in _FILES.items()}
    for each in found:
        changed = [files[name] for name in each.changes]
        if as_json:
            print_json(
                {
                    "version": each.number,
                    "by": each.created_by,
                    "at": each.created_at.isoformat(),
                    "usual": each.is_usual,
                    "changed": changed,
                }
            )
            continue
        usual = ", the usual templates" if each.is_usual else ""
        click.echo(f"{each.number:>4}  {each.created_at:%Y-%m-%d %H:%M} UTC  {each.created_by}{usual}")
        click.echo(f"      {', '.join(changed) or 'no change'}")
        for name, lines in each.changes.items() if diff else ():
            click.echo(f"      {files[name]}")
            for line in lines:
                click.echo(f"      {_SIGNS[line.kind]}{line.text}")


@template.command()
@click.argument("version", metavar="VERSION|usual")
@newsletter_option
def restore(version: str, newsletter_slug: str | None) -> None:
    """Save an earlier version, or the usual templates, as the newest version."""
    if version != "usual" and not (version.isascii() and version.isdigit() and len(version) < 8):
        raise InputError(f"{version} is no version. Write its number, or usual.")
    parts = open_runtime()
    with parts.session() as session:
        newsletter_id = choose_newsletter(session, newsletter_slug).id
        renderer = parts.renderer.of_newsletter(session, newsletter_id)
        sources = find_version(session, newsletter_id, 0 if version == "usual" else int(version))
        _save(parts, session, renderer, sources)


def _save(parts: Runtime, session: Session, renderer: NewsletterRenderer, sources: Mapping[str, str]) -> None:
    """Save these templates as the newest version, commit, and say so. Raises InputError."""
    number = renderer.own.version
    try:
        changed = save_templates(session, renderer, sources, version=number, actor=ACTOR, now=parts.now())
    except TemplateInvalid as fault:
        raise _told(fault) from fault
    session.commit()
    click.echo(f"Saved as version {number + 1}." if changed else "Nothing has changed.")


def _read(files: tuple[Path, ...]) -> Mapping[str, str]:
    """Return the text of each file, by the name of its part. Raises InputError."""
    read: dict[str, str] = {}
    for path in files:
        name = _FILES.get(path.name)
        if name is None:
            raise InputError(f"{path.name} is no part. A file has one of these names: {', '.join(_FILES)}.")
        if name in read:
            raise InputError(f"{path.name} is given twice.")
        try:
            read[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as fault:
            raise InputError(f"{path} is not text in UTF-8.") from fault
        except OSError as fault:
            raise InputError(f"{path} cannot be read: {fault.strerror}.") from fault
    return read


def _told(fault: TemplateInvalid) -> InputError:
    return InputError("\n".join(fault_sentences(fault)))
