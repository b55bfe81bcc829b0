"""The parts of a digest that an owner can change, and what they must show. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

# Characters of one part. The usual parts have up to 3,500.
MOST_CHARACTERS = 16_000

# What stands in a frame exactly once, in its HTML and in its plain text. The program writes these blocks, so
# each has the words of the subscriber's language, and their own links.
BLOCKS = {
    "top_links": "the links “View in browser”, “Preferences” and “Unsubscribe”",
    "note": "the editor's note of an issue; usually empty",
    "contents": "the list of contents of an issue with many releases",
    "releases": "the releases, under their topics",
    "more": "the link to releases that did not fit; usually empty",
    "reason": "the line that says why the subscriber gets the email",
    "foot_links": "the links to the preferences, to unsubscribe and to the browser view",
    "postal_address": "your postal address",
}
# This one may be left out, and is in the HTML only.
LOGO = "logo"


@dataclass(frozen=True, slots=True)
class Part:
    """A part that an owner can change: its name for people, and the file of the usual one."""

    label: str
    file: str

    @property
    def is_styles(self) -> bool:
        """Whether it is a style sheet."""
        return self.file.endswith(".css")

    @property
    def is_html(self) -> bool:
        """Whether it is HTML."""
        return self.file.endswith(".html")


PARTS = {
    "frame_html": Part("Frame (HTML)", "digest/frame.html"),
    "release_html": Part("One release (HTML)", "digest/release.html"),
    "styles": Part("Styles", "style.css"),
    "dark_styles": Part("Styles for phones and dark mode", "dark.css"),
    "frame_text": Part("Frame (plain text)", "digest/frame.txt"),
    "release_text": Part("One release (plain text)", "digest/release.txt"),
}


@dataclass(frozen=True)
class OwnTemplates:
    """One version of a newsletter's templates: the source of each part that is not the usual one.

    Version 0 has none, so that issues are rendered with the usual templates.
    """

    version: int = 0
    sources: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.sources)


USUAL_TEMPLATES = OwnTemplates()


@cache
def usual_sources(folder: Path) -> Mapping[str, str]:
    """Return the source of each usual part, from the folder of the email templates."""
    return {name: (folder / part.file).read_text(encoding="utf-8") for name, part in PARTS.items()}
