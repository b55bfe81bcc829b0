"""Patterns of page furniture (menus, buttons, notices, end marks) around releases on web pages. Pure."""

from __future__ import annotations

from enum import Enum, auto

from newsletter.ingest.phrases import read_phrases


class Kind(Enum):
    """The kind of a line. FURNITURE is removed everywhere, WEAK lines only above and below the text."""

    TEXT = auto()
    FURNITURE = auto()
    WEAK = auto()  # A menu word, or "Press release". Inside the text, such a line is a heading.
    END = auto()  # The mark at the end of the release.
    RELATED = auto()  # The heading of a list of other pages.
    CONTACT = auto()  # The heading of names and telephone numbers.
    REACH = auto()  # A telephone number or an email address.


def _rules() -> tuple[tuple[str, Kind, str], ...]:
    rules = []
    for title, phrases in read_phrases("furniture").items():
        name, kind = title.split(": ")
        rules.append((name, Kind[kind], "|".join(phrases)))
    return tuple(rules)


# Each rule has a name, the kind of a line that it matches, and a pattern for the whole line in lower case.
# The first match counts.
RULES = _rules()
