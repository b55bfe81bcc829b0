"""Normalise text to Unicode form NFC, in linear time also for hostile text. Pure."""

from __future__ import annotations

import re
import unicodedata

# Python uses insertion sort for the combining marks after a character, so a megabyte of them takes an hour.
# Long runs beyond ASCII are composed in pieces. They begin with the character that marks may belong to.
_LONG_RUN = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]{200,}")
_PIECE = 200


def compose(text: str) -> str:
    """Return `text` in NFC. In a run of over 200 marks on one character, the order of the marks may stay."""
    if text.isascii():
        return text
    made: list[str] = []
    at = 0
    for run in _LONG_RUN.finditer(text):
        made.append(unicodedata.normalize("NFC", text[at : run.start()]))
        made.extend(unicodedata.normalize("NFC", piece) for piece in _pieces(run[0]))
        at = run.end()
    made.append(unicodedata.normalize("NFC", text[at:]))
    return "".join(made)


def _joins(char: str) -> bool:
    """Return whether `char` is a mark, or a vowel or final of a Korean syllable."""
    return unicodedata.combining(char) != 0 or "\u1160" <= char <= "\u11ff"


def _pieces(run: str) -> list[str]:
    """Return `run` in pieces. A piece ends before a character that is no mark, if one is near."""
    pieces: list[str] = []
    at = 0
    while at < len(run):
        end = min(at + _PIECE, len(run))
        while end < min(at + 2 * _PIECE, len(run)) and _joins(run[end]):
            end += 1
        pieces.append(run[at:end])
        at = end
    return pieces
