"""Find newsletters."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import InputError, NotFound
from newsletter.models import Newsletter, NewsletterText, StoredLogo


def list_newsletters(session: Session) -> Sequence[Newsletter]:
    """Return every newsletter, in the order of the page that lists them."""
    return session.scalars(select(Newsletter).order_by(Newsletter.position, Newsletter.id)).all()


def find_newsletter(session: Session, slug: str) -> Newsletter:
    """Return a newsletter. Raises NotFound, which lists the newsletters that exist."""
    found = session.scalar(select(Newsletter).where(Newsletter.slug == slug))
    if found is None:
        raise NotFound(f"There is no newsletter {slug}. There are: {_slugs(list_newsletters(session))}.")
    return found


def choose_newsletter(session: Session, slug: str | None) -> Newsletter:
    """Return the newsletter of `slug`; without a slug, the only one.

    Raises NotFound. Raises InputError if there is no slug and there are several newsletters.
    """
    if slug:
        return find_newsletter(session, slug)
    found = list_newsletters(session)
    if len(found) > 1:
        raise InputError(f"There are several newsletters. Say which one, by --newsletter: {_slugs(found)}.")
    return found[0]


def earlier_texts(session: Session, newsletter_id: int, language: str) -> Sequence[NewsletterText]:
    """Return the texts in a language that later ones replaced, the newest first."""
    versions = select(NewsletterText).where(
        NewsletterText.newsletter_id == newsletter_id, NewsletterText.language == language
    )
    return session.scalars(versions.order_by(NewsletterText.version.desc()).offset(1)).all()


def find_logo(session: Session, file_name: str) -> StoredLogo:
    """Return a logo by the last part of its URL. Raises NotFound."""
    found = session.get(StoredLogo, file_name.partition(".")[0])
    if found is None:
        raise NotFound("There is no such logo.")
    return found


def _slugs(rows: Sequence[Newsletter]) -> str:
    return ", ".join(row.slug for row in rows)
