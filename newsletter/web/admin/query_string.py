"""Read page numbers, texts and choices from the query string; invalid values are ignored."""

from __future__ import annotations

import enum
from typing import TypeVar

from flask import request

E = TypeVar("E", bound=enum.StrEnum)

LONGEST_TEXT = 300


def page_number() -> int:
    """Return `page`; 1 if it is missing or not a number."""
    given = request.args.get("page", "")
    return max(1, int(given)) if given.isascii() and given.isdigit() and len(given) < 8 else 1


def text_of(name: str) -> str | None:
    """Return the text of `name` without control characters, or None if it is empty."""
    given = request.args.get(name, "")[:LONGEST_TEXT]
    return "".join(char for char in given if char.isprintable()).strip() or None


def choice_of(kind: type[E], given: str | None) -> E | None:
    """Return the member of `kind` with that value, or None."""
    try:
        return kind(given or "")
    except ValueError:
        return None


def choices_of(kind: type[E], given: list[str]) -> list[E]:
    """Return the members of `kind` that `given` names, each once, in the order of `kind`."""
    return [member for member in kind if member.value in given]
