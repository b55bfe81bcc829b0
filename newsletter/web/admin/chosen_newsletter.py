"""The newsletter that an admin page is about: the query says `newsletter=SLUG`. Without it, the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import request
from sqlalchemy.orm import Session

from newsletter.newsletters.queries import list_newsletters
from newsletter.web.http.extensions import runtime


@dataclass(frozen=True)
class ChosenNewsletter:
    """The newsletter of a page, and the slugs and names of all to choose from.

    With one newsletter, `slug` is None and `options` is empty, so that the page shows neither.
    """

    id: int
    slug: str | None
    options: Sequence[tuple[str, str]]


def chosen_newsletter(session: Session) -> ChosenNewsletter:
    """Return the newsletter that the query names; the first if it names none, or one that does not exist."""
    rows = list_newsletters(session)
    asked = request.args.get("newsletter")
    chosen = next((row for row in rows if row.slug == asked), rows[0])
    if len(rows) == 1:
        return ChosenNewsletter(chosen.id, None, ())
    names = newsletter_names(session)
    return ChosenNewsletter(chosen.id, chosen.slug, [(row.slug, names[row.id]) for row in rows])


def newsletter_names(session: Session) -> Mapping[int, str]:
    """Return the name of each newsletter by its id; nothing if there is only one."""
    rows = list_newsletters(session)
    if len(rows) == 1:
        return {}
    parts = runtime()
    return {row.id: parts.identities.recent(parts.reading, row.id).name for row in rows}
