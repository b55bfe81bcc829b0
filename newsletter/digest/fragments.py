"""The fragments of an issue: which releases have some, and render those that are missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.messages.counted_links import has_counted_links, plain_language
from newsletter.messages.digests.corrections import report_failures
from newsletter.messages.digests.edition import Encoded
from newsletter.messages.digests.note import read_note
from newsletter.messages.digests.render import (
    IssueFacts,
    NewsletterRenderer,
    load_revisions,
    render_edition,
    render_headings,
    render_more,
)
from newsletter.messages.templates.parts import USUAL_TEMPLATES
from newsletter.models import Fragment, Issue, IssueRelease, Release, Topic, insert_new, order_of_issue
from newsletter.models.rendition_key import name_of


def rendered_names(session: Session, issue_id: int) -> dict[str, set[str]]:
    """Return the names of the releases that have fragments in an issue, by language."""
    found: dict[str, set[str]] = defaultdict(set)
    parts = select(Fragment.language, Fragment.part).where(
        Fragment.issue_id == issue_id, Fragment.part.startswith("release:")
    )
    for language, part in session.execute(parts):
        found[language].add(part.removeprefix("release:"))
    return found


def names_in(session: Session, issue_id: int) -> set[str]:
    """Return the names of the releases in the renditions of an issue, with their present revisions."""
    there = (
        select(Release.id, Release.revision)
        .join(IssueRelease, IssueRelease.release_id == Release.id)
        .where(IssueRelease.issue_id == issue_id)
    )
    return {name_of(release_id, revision) for release_id, revision in session.execute(there)}


def render_issue(
    session: Session,
    renderer: NewsletterRenderer,
    issue: Issue,
    shown: Iterable[str],
    language: str,
    now: datetime,
    before: int = 0,
) -> None:
    """Render and store the fragments of these releases; `before` other releases have fragments already.

    `language` also says whether their links are counted (messages/counted_links.py).
    """
    releases = load_revisions(session, shown)
    renderer = renderer.with_templates_of(session, issue)
    if has_counted_links(language):
        renderer = renderer.counting(issue)
    spoken = plain_language(language)
    facts = _facts(renderer, issue)
    if before:
        frame = session.get_one(Fragment, (issue.id, language, "frame"))
        encoded = Encoded(frame.text, frame.html)
        parts = render_more(renderer, facts, spoken, releases, encoded, before)
        parts = {**parts, **_new_headings(session, renderer, issue, language, encoded)}
    else:
        topics = _topics(session, issue)
        order = order_of_issue(session, issue)
        parts = render_edition(renderer, facts, spoken, topics, releases, order)
    report_failures(session, renderer, now)
    if renderer.failures and not before:
        issue.template_version = USUAL_TEMPLATES.version
    rows = [
        {"issue_id": issue.id, "language": language, "part": part, "html": each.html, "text": each.text}
        for part, each in parts.items()
    ]
    if rows:
        session.execute(insert_new(session, Fragment), rows)


def _facts(renderer: NewsletterRenderer, issue: Issue) -> IssueFacts:
    note = read_note(issue.editors_note, issue.note_language)
    facts = renderer.facts_of(issue, note)
    # A scheduled issue shows the date that it is for, which is the same for everybody.
    return facts if issue.slot is None else replace(facts, date=issue.slot)


def _topics(session: Session, issue: Issue) -> Sequence[Topic]:
    shown = select(Topic).where(Topic.newsletter_id == issue.newsletter_id)
    return session.scalars(shown.order_by(Topic.position, Topic.id)).all()


def _new_headings(
    session: Session, renderer: NewsletterRenderer, issue: Issue, language: str, frame: Encoded
) -> Mapping[str, Encoded]:
    """Return the headings of topics that were added since the issue was rendered."""
    rendered = set(
        session.scalars(
            select(Fragment.part).where(
                Fragment.issue_id == issue.id,
                Fragment.language == language,
                Fragment.part.startswith("topic:"),
            )
        )
    )
    added = [each for each in _topics(session, issue) if f"topic:{each.id}" not in rendered]
    return render_headings(renderer, _facts(renderer, issue), plain_language(language), added, frame)
