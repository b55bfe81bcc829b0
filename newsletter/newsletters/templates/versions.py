"""Save versions of a newsletter's templates, and compare them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import NotFound, StateConflict
from newsletter.messages.digests.render import NewsletterRenderer
from newsletter.messages.templates.parts import PARTS, usual_sources
from newsletter.messages.templates.stored import newest_templates
from newsletter.models import NewsletterTemplate
from newsletter.newsletters.store import lock_newsletter
from newsletter.newsletters.templates.check import check_templates
from newsletter.notices import NoticeKind, settle

# Lines around a change that a comparison shows.
AROUND = 2


@dataclass(frozen=True)
class Line:
    """A line of a comparison: `kind` is same, added, removed or place."""

    kind: str
    text: str


@dataclass(frozen=True)
class Version:
    """A saved version: who saved it and when, and how each part differs from the version before."""

    number: int
    created_by: str
    created_at: datetime
    is_usual: bool
    changes: Mapping[str, Sequence[Line]]


def read_sources(renderer: NewsletterRenderer, given: Mapping[str, str]) -> dict[str, str]:
    """Return the parts of a form that are not the usual ones. An empty part stands for the usual one."""
    usual = usual_sources(renderer.templates.folder)
    read = {}
    for name in PARTS:
        text = given.get(name, "").replace("\r\n", "\n").replace("\r", "\n")
        if text.strip() and text.strip() != usual[name].strip():
            read[name] = text.rstrip() + "\n"
    return read


def sources_of(renderer: NewsletterRenderer, own: Mapping[str, str]) -> dict[str, str]:
    """Return the source of every part, the usual one where a version has none."""
    return {**usual_sources(renderer.templates.folder), **own}


def save_templates(
    session: Session,
    renderer: NewsletterRenderer,
    sources: Mapping[str, str],
    *,
    version: int,
    actor: str,
    now: datetime,
) -> bool:
    """Save the parts that are not the usual ones as a new version; return whether any part changed.

    Issues that begin later have them. `version` is the one that the page showed. Raises TemplateInvalid if a
    part cannot be used, and StateConflict if another version was saved since. Commits nothing.
    """
    if sources:
        check_templates(renderer, sources)
    newsletter_id = renderer.identity.newsletter_id
    lock_newsletter(session, newsletter_id)
    newest = newest_templates(session, newsletter_id)
    if newest.version != version:
        raise StateConflict("The templates were changed meanwhile. Open them again, and repeat your change.")
    if dict(newest.sources) == dict(sources):
        return False
    session.add(
        NewsletterTemplate(
            newsletter_id=newsletter_id,
            version=version + 1,
            sources=dict(sources),
            created_by=actor,
            created_at=now,
        )
    )
    changed = sorted(name for name in PARTS if sources.get(name) != newest.sources.get(name))
    slug = renderer.identity.slug
    audit.record(session, actor, "newsletter.templates", slug, now, version=version + 1, parts=changed)
    settle(session, NoticeKind.TEMPLATE_FAILED, slug, now)
    session.flush()
    return True


def find_version(session: Session, newsletter_id: int, number: int) -> Mapping[str, str]:
    """Return the parts of a version that are not the usual ones; none for version 0. Raises NotFound."""
    if number == 0:
        return {}
    row = session.get(NewsletterTemplate, (newsletter_id, number))
    if row is None:
        raise NotFound(f"There is no version {number} of these templates.")
    return dict(row.sources)


def list_versions(session: Session, renderer: NewsletterRenderer, limit: int = 20) -> Sequence[Version]:
    """Return the newest versions, the newest first, each compared with the one before."""
    mine = NewsletterTemplate.newsletter_id == renderer.identity.newsletter_id
    newest = select(NewsletterTemplate).where(mine).order_by(NewsletterTemplate.version.desc())
    rows = session.scalars(newest.limit(limit + 1)).all()
    befores = [sources_of(renderer, row.sources) for row in rows[1:]]
    if len(rows) <= limit:
        befores.append(sources_of(renderer, {}))
    return [
        Version(
            row.version,
            row.created_by,
            row.created_at,
            not row.sources,
            _changes(before, sources_of(renderer, row.sources)),
        )
        for row, before in zip(rows[:limit], befores, strict=False)
    ]


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, list[Line]]:
    """Return the changed lines of each part that differs."""
    found = {}
    for name in PARTS:
        lines = difflib.unified_diff(
            before[name].splitlines(), after[name].splitlines(), lineterm="", n=AROUND
        )
        changed = [_line(each) for each in list(lines)[2:]]
        if changed:
            found[name] = changed
    return found


def _line(text: str) -> Line:
    if text.startswith("@@"):
        return Line("place", "")
    kind = {"+": "added", "-": "removed"}.get(text[:1], "same")
    return Line(kind, text[1:])
