"""Render texts that were corrected after an issue was prepared, and report templates that failed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.messages.counted_links import has_counted_links, plain_language
from newsletter.messages.digests.edition import Encoded
from newsletter.messages.digests.render import DigestRenderer, NewsletterRenderer, load_revisions, render_more
from newsletter.messages.templates.parts import PARTS
from newsletter.models import Fragment, Issue, insert_new
from newsletter.notices import NoticeKind, tell_owner


def render_corrections(
    session: Session,
    renderer: DigestRenderer,
    issue_id: int,
    language: str,
    names: Collection[str],
    now: datetime,
) -> None:
    """Render revisions that an issue has no fragments of, because they were made after it was prepared.

    `names` are those of corrected releases. Commits nothing.
    """
    there = (Fragment.issue_id == issue_id, Fragment.language == language)
    parts = select(Fragment.part).where(*there, Fragment.part.in_([f"release:{each}" for each in names]))
    missing = set(names) - {part.removeprefix("release:") for part in session.scalars(parts)}
    if not missing:
        return
    stored = session.get(Fragment, (issue_id, language, "frame"))
    if stored is None:  # the texts of the issue were deleted, so its messages cannot be built
        return
    issue = session.get_one(Issue, issue_id)
    own = renderer.of_newsletter(session, issue.newsletter_id).with_templates_of(session, issue)
    own = own.counting(issue) if has_counted_links(language) else own
    facts = own.facts_of(issue)
    frame = Encoded(stored.text, stored.html)
    spoken = plain_language(language)
    rendered = render_more(own, facts, spoken, load_revisions(session, missing), frame, before=0)
    report_failures(session, own, now)
    rows = [
        {"issue_id": issue_id, "language": language, "part": part, "html": each.html, "text": each.text}
        for part, each in sorted(rendered.items())
        # The parts for each number of releases are there already.
        if part.partition(":")[2] in missing
    ]
    session.execute(insert_new(session, Fragment), rows)


def report_failures(session: Session, renderer: NewsletterRenderer, now: datetime) -> None:
    """Tell the owner that the usual templates were used, and why. Commits nothing."""
    for fault in renderer.failures[:1]:
        slug = renderer.identity.slug
        part, line, words = fault.faults[0]
        label = PARTS[part].label if part in PARTS else "Templates"
        place = f"{label}, line {line}" if line else label
        detail = {"name": renderer.identity.name, "what": f"{place}: {words}"}
        tell_owner(session, NoticeKind.TEMPLATE_FAILED, slug, now, **detail)
