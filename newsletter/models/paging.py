"""Pagination of a query, and a case-insensitive "contains" search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

T = TypeVar("T")

# A limit, because a large OFFSET makes the database read every row before it.
LAST_PAGE = 100_000


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of `total` items, `per_page` on each page. The first page is 1."""

    items: Sequence[T]
    page: int
    per_page: int
    total: int

    @property
    def pages(self) -> int:
        """The number of pages; 0 when there are no items."""
        return math.ceil(self.total / self.per_page)

    @property
    def has_prev(self) -> bool:
        """Whether there is a page before this one."""
        return self.page > 1

    @property
    def prev_num(self) -> int:
        """The page before this one, or the last page if this one is past it."""
        return max(1, min(self.page - 1, self.pages))

    @property
    def has_next(self) -> bool:
        """Whether there is a page after this one."""
        return self.page < self.pages

    @property
    def next_num(self) -> int:
        """The page after this one."""
        return self.page + 1


def paged(session: Session, query: Select[T], page: int, per_page: int) -> Page[T]:
    """Return page `page` of `query`. Its order must be total: the last column it orders by is unique."""
    page = min(max(page, 1), LAST_PAGE)
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    items = session.scalars(query.limit(per_page).offset((page - 1) * per_page)).all()
    return Page(items, page, per_page, total)


def contains(text: str, *columns: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Return the condition that one of `columns` contains `text`, ignoring case, without wildcards.

    SQLite ignores case for ASCII only, so other usual spellings (lower, upper, title case) are tried too.
    """
    spellings = dict.fromkeys((text, text.lower(), text.upper(), text.capitalize(), text.title()))
    return or_(*(column.icontains(spelling, autoescape=True) for column in columns for spelling in spellings))
