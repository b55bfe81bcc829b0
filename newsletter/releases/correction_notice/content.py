"""What a correction notice says: the release, and a sentence or the differences, as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from newsletter.errors import InputError
from newsletter.releases.revisions.differences import Piece, differences
from newsletter.releases.revisions.store import Texts

LONGEST_SENTENCE = 600
# A notice is short: what does not fit is on the release's page.
MOST_PARAGRAPHS = 8
# Unchanged words beside a change.
CONTEXT = 80
LONGEST_PIECE = 600
# The fields that a person who got an email recognises, and their names in the templates. A changed text
# changes the summary too, so that is shown only if it is the only change.
_FIELDS = {"Title": "title", "Publisher": "publisher", "Date": "date", "Text": "text"}
_EMAIL_FIELDS = {"Summary": "summary", "Title in emails": "title", "Summary in emails": "summary"}

# A field's name, and its paragraphs: pairs of kind and words.
Change = dict[str, Any]


def read_sentence(text: str) -> str:
    """Return the editor's sentence on one line. Raises InputError."""
    sentence = " ".join(text.split())
    if not sentence.isprintable():
        raise InputError("The sentence has characters that cannot be printed.")
    if len(sentence) > LONGEST_SENTENCE:
        raise InputError(f"The sentence is too long: at most {LONGEST_SENTENCE} characters.")
    return sentence


def make_content(
    public_id: str, present: Texts, earlier: Mapping[int, Texts], sentence: str
) -> dict[str, Any]:
    """Return the content of a notice. Without a sentence, it has the changes from each earlier revision."""
    changes = {} if sentence else {str(each): changes_between(old, present) for each, old in earlier.items()}
    return {
        "public_id": public_id,
        "title": present.title,
        "publisher": present.publisher,
        "date": present.published_on.isoformat(),
        "language": present.language,
        "sentence": sentence,
        # The revisions that the notice corrects.
        "earlier": sorted(earlier),
        "changes": changes,
    }


def changes_between(before: Texts, after: Texts) -> list[Change]:
    """Return the changed fields with their first changed paragraphs, shortened."""
    found = differences(before, after)
    shown = [(each, _FIELDS[each.field]) for each in found if each.field in _FIELDS]
    shown = shown or [(each, _EMAIL_FIELDS[each.field]) for each in found if each.field in _EMAIL_FIELDS]
    left, changes = MOST_PARAGRAPHS, []
    for each, name in shown:
        paragraphs = [_shorten(pieces) for pieces in each.paragraphs[:left]]
        left -= len(paragraphs)
        if paragraphs:
            changes.append(
                {
                    "field": name,
                    "paragraphs": paragraphs,
                    "is_cut": len(each.paragraphs) > len(paragraphs),
                }
            )
    return changes


def _shorten(pieces: Sequence[Piece]) -> list[list[str]]:
    """Return the pieces of a paragraph, with few of the unchanged words around the changes."""
    if all(each.kind == "same" for each in pieces):
        return [["same", _cut(each.words)] for each in pieces]
    shown = []
    for at, (kind, words) in enumerate(pieces):
        is_last = at == len(pieces) - 1
        kept = _around(words, is_first=at == 0, is_last=is_last) if kind == "same" else words
        shown.append([kind, _cut(kept)])
    return shown


def _around(words: str, *, is_first: bool, is_last: bool) -> str:
    if is_first:
        return words if len(words) <= CONTEXT else "…" + words[-CONTEXT:].partition(" ")[2]
    if is_last:
        return words if len(words) <= CONTEXT else words[:CONTEXT].rpartition(" ")[0] + "…"
    if len(words) <= 2 * CONTEXT:
        return words
    return f"{words[:CONTEXT].rpartition(' ')[0]} … {words[-CONTEXT:].partition(' ')[2]}"


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST_PIECE else words[: LONGEST_PIECE - 1] + "…"
