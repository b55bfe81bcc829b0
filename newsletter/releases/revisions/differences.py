"""The differences between two texts of a release, as words that were removed and added. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from newsletter.releases.revisions.store import Texts

# Comparing takes time with the square of what is compared, so longer texts are compared less closely.
MOST_PARAGRAPHS = 500
MOST_WORDS = 800
_WORDS = re.compile(r"\s+|[^\s]+")
_FIELDS = (
    ("title", "Title"),
    ("publisher", "Publisher"),
    ("published_on", "Date"),
    ("language", "Language"),
    ("summary", "Summary"),
    ("email_title", "Title in emails"),
    ("email_summary", "Summary in emails"),
    ("image_alt", "Description of the image"),
    ("body_text", "Text"),
)


class Piece(NamedTuple):
    """Some words: `kind` is "same", "removed" or "added"."""

    kind: str
    words: str


class Difference(NamedTuple):
    """A field that differs, with its paragraphs that do."""

    field: str
    paragraphs: Sequence[Sequence[Piece]]


def differences(before: Texts, after: Texts) -> list[Difference]:
    """Return the fields that differ, in the order in which an editor reads them."""
    found = []
    for name, label in _FIELDS:
        one, other = str(getattr(before, name)), str(getattr(after, name))
        if one != other:
            found.append(Difference(label, list(_paragraphs(one, other))))
    if before.image_hash != after.image_hash:
        found.append(Difference("Image", [[_image_words(before.image_hash, after.image_hash)]]))
    if not found and before.body_html != after.body_html:
        found.append(Difference("Text", [[Piece("same", "Only the form of the text was changed.")]]))
    return found


def _image_words(before: str | None, after: str | None) -> Piece:
    if not before:
        return Piece("added", "An image was added.")
    if not after:
        return Piece("removed", "The image was removed.")
    return Piece("same", "Another image takes the place of the earlier one.")


def _paragraphs(before: str, after: str) -> Iterator[list[Piece]]:
    """Yield each paragraph that differs, as pieces."""
    one, other = _split(before), _split(after)
    for kind, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        removed, added = one[a:b], other[c:d]
        if len(removed) == len(added):
            yield from (_words(*pair) for pair in zip(removed, added, strict=True))
            continue
        yield from ([Piece("removed", each)] for each in removed)
        yield from ([Piece("added", each)] for each in added)


def _split(text: str) -> list[str]:
    paragraphs = [each for each in text.split("\n") if each.strip()]
    if len(paragraphs) > MOST_PARAGRAPHS:
        return [*paragraphs[: MOST_PARAGRAPHS - 1], "\n".join(paragraphs[MOST_PARAGRAPHS - 1 :])]
    return paragraphs


def _words(before: str, after: str) -> list[Piece]:
    one, other = _WORDS.findall(before), _WORDS.findall(after)
    if max(len(one), len(other)) > MOST_WORDS:
        return [Piece("removed", before), Piece("added", after)]
    pieces = []
    for kind, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(Piece("same", "".join(one[a:b])))
            continue
        if a < b:
            pieces.append(Piece("removed", "".join(one[a:b])))
        if c < d:
            pieces.append(Piece("added", "".join(other[c:d])))
    return pieces
