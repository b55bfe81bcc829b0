"""The languages in which a subscriber wants releases. Without a choice, they want all of them.

`wants` is the rule, and the two functions after it say the same in SQL. A release whose language is not known
is always wanted. A choice names languages without a region: "pt" stands for pt-BR too.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, or_

# "und" is the tag of a text whose language is not known (BCP 47).
UNKNOWN = ("und", "")


def base_language(language: str) -> str:
    """Return a language tag without its region or script."""
    return language.partition("-")[0].lower()


def read_choice(stored: str | None) -> frozenset[str]:
    """Return the languages of a stored choice; empty if there is none."""
    return frozenset(stored.split(",")) if stored else frozenset()


def write_choice(languages: Iterable[str]) -> str | None:
    """Return a choice as it is stored. None stands for all languages."""
    return ",".join(sorted(set(languages))) or None


def wants(chosen: Set[str], language: str) -> bool:
    """Return whether a subscriber who chose `chosen` wants a release in `language`."""
    return not chosen or language in UNKNOWN or base_language(language) in chosen


def wants_in_sql(chosen: Set[str], language: ColumnElement[str] | Any) -> ColumnElement[bool]:
    """Return the condition of `wants` on a column of languages, for one choice."""
    if not chosen:
        return literal(True)
    tag = func.lower(language)
    regions = (tag.startswith(f"{each}-") for each in sorted(chosen))
    return or_(language.in_(UNKNOWN), tag.in_(sorted(chosen)), *regions)


def stored_choice_wants(stored: ColumnElement[Any] | Any, language: ColumnElement[str] | Any) -> Any:
    """Return the condition of `wants` on a column of stored choices and a column of languages."""
    named, tag = literal(",") + stored + ",", func.lower(language)

    def names(letters: int) -> ColumnElement[bool]:
        base = func.substr(tag, 1, letters)
        return and_(func.substr(tag, letters + 1, 1) == "-", named.contains(literal(",") + base + ","))

    whole = named.contains(literal(",") + tag + ",")
    return or_(stored.is_(None), language.in_(UNKNOWN), whole, names(2), names(3))
