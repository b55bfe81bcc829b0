"""The editor's note on top of an issue: its limits, and its forms for emails. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

from newsletter.errors import InputError
from newsletter.languages import text_direction

NOTE_BYTES = 5_000
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,4}){0,2}")


@dataclass(frozen=True, slots=True)
class Note:
    """A note as templates use it. It stands in every language of the issue as it was written."""

    html: Markup
    text: str
    language: str
    direction: str

    @property
    def start(self) -> str:
        """The side on which its lines begin. Outlook supports left and right only."""
        return "right" if self.direction == "rtl" else "left"


def read_note(source: str, language: str) -> Note | None:
    """Return the note of a Markdown source, None if it is empty. Raises InputError with a sentence."""
    source = source.strip()
    if not source:
        return None
    if not _TAG.fullmatch(language):
        raise InputError("The language of the note is not a language tag, such as de or pt-BR.")
    from newsletter.mail.markdown import render_markdown  # noqa: PLC0415 (slow to import, and seldom needed)

    rich = render_markdown(source, most_bytes=NOTE_BYTES)
    if not rich.text.strip():
        raise InputError("This note shows no text.")
    # nh3 has removed everything but a few tags without attributes.
    return Note(Markup(rich.html), rich.text, language, text_direction(language, rich.text))  # noqa: S704
