"""The options of commands that put an editor's note on top of an issue."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

import click

from newsletter.errors import InputError
from newsletter.messages.digests.note import NOTE_BYTES, read_note
from newsletter.runtime import Runtime


def note_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --note, as `note_file`, and --note-language to a command."""
    language = click.option(
        "--note-language", metavar="TAG", help="Its language. The newsletter's first one by default."
    )
    note = click.option(
        "--note",
        "note_file",
        type=click.File("r", encoding="utf-8"),
        metavar="FILE",
        help=f"The editor's note on top: Markdown of at most {NOTE_BYTES:,} bytes. - reads standard input.",
    )
    return note(language(command))


def read_note_file(
    parts: Runtime, newsletter_id: int, file: TextIO | None, language: str | None
) -> dict[str, str]:
    """Return the arguments of an issue with the editor's note. Raises InputError."""
    if file is None:
        return {}
    with parts.reading() as session:
        offered = parts.renderer.of_newsletter(session, newsletter_id).languages
    try:
        text = file.read(NOTE_BYTES + 1)
    except UnicodeDecodeError as fault:
        raise InputError(f"{file.name} is not text in UTF-8.") from fault
    # It is checked before anybody is asked for the number of subscribers.
    tag = language or offered[0]
    read_note(text, tag)
    return {"note": text, "note_language": tag}
