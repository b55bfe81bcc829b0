"""Load the templates of a newsletter, and those that an issue began with."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.messages.templates.parts import USUAL_TEMPLATES, OwnTemplates
from newsletter.models import Fragment, Issue, NewsletterTemplate


def newest_templates(session: Session, newsletter_id: int) -> OwnTemplates:
    """Return the templates with which a newsletter's next issue is rendered."""
    versions = select(NewsletterTemplate.version, NewsletterTemplate.sources)
    mine = versions.where(NewsletterTemplate.newsletter_id == newsletter_id)
    found = session.execute(mine.order_by(NewsletterTemplate.version.desc()).limit(1)).one_or_none()
    return USUAL_TEMPLATES if found is None else OwnTemplates(found.version, dict(found.sources))


def templates_of_issue(session: Session, issue: Issue) -> OwnTemplates:
    """Return the templates that an issue began with, so that its emails differ in nothing else.

    An issue without any fragment begins now.
    """
    if issue.template_version is None:
        begun = select(Fragment.issue_id).where(Fragment.issue_id == issue.id).limit(1)
        if session.scalar(begun) is not None:  # by a host with the version before
            return USUAL_TEMPLATES
        return newest_templates(session, issue.newsletter_id)
    row = session.get(NewsletterTemplate, (issue.newsletter_id, issue.template_version))
    return USUAL_TEMPLATES if row is None else OwnTemplates(row.version, dict(row.sources))
