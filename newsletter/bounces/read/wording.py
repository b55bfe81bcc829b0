"""The phrases by which programs say that an email came back, from the file notices.toml. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from newsletter.bounces.read.reasons import occurs, pieces

_FILE = Path(__file__).with_name("notices.toml")

# The first of the characters of Chinese, Japanese and Korean.
_FIRST_WITHOUT_SPACES = "\u2e80"

Phrases = Sequence[tuple[str, ...]]


def says(kind: str, folded: str) -> bool:
    """Return whether a folded text (reasons.fold) has a phrase of this kind."""
    return any(occurs(phrase, folded) for phrase in phrases(kind))


def ends_with(kind: str, folded: str) -> bool:
    """Return whether a folded text ends with a phrase of this kind, as a word of its own."""
    return folded.endswith(_words(kind))


def starts_with(kind: str, folded: str) -> bool:
    """Return whether a folded text starts with a phrase of this kind."""
    return folded.startswith(tuple(_lists()[kind]))


@cache
def phrases(kind: str) -> Phrases:
    """Return the phrases of one list of the file, in pieces."""
    return tuple(pieces(each) for each in dict.fromkeys(_lists()[kind]))


@cache
def _words(kind: str) -> tuple[str, ...]:
    # Chinese and Japanese write no spaces between words.
    return tuple(each if each[0] >= _FIRST_WITHOUT_SPACES else f" {each}" for each in _lists()[kind])


@cache
def _lists() -> Mapping[str, Sequence[str]]:
    listed: Mapping[str, Sequence[str]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return listed
