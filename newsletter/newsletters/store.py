"""Lock the rows of newsletters, find what only one newsletter may have, and write versions of texts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import InputError, NotFound
from newsletter.identity import Identity, Logo, Texts, load_identity
from newsletter.models import Newsletter, NewsletterText, StoredLogo
from newsletter.newsletters.fields import FIELDS, is_column
from newsletter.settings import Settings

if TYPE_CHECKING:
    from newsletter.newsletters.logo import EncodedLogo


def lock_newsletters(session: Session) -> dict[int, Newsletter]:
    """Return every newsletter by its id, locked until the transaction ends.

    All of them, because an edit compares its newsletter with the others. On PostgreSQL, sign-ups, which refer
    to a newsletter, do not wait for this lock.
    """
    wanted = select(Newsletter).order_by(Newsletter.id).with_for_update(key_share=True)
    rows = session.scalars(wanted.execution_options(populate_existing=True)).all()
    return {row.id: row for row in rows}


def lock_newsletter(session: Session, newsletter_id: int) -> Newsletter:
    """Return one newsletter, with all of them locked. Raises NotFound."""
    row = lock_newsletters(session).get(newsletter_id)
    if row is None:
        raise NotFound("There is no such newsletter.")
    return row


def find_conflicts(session: Session, settings: Settings, before: Identity, after: Identity) -> dict[str, str]:
    """Return a sentence for each changed field whose value another newsletter has, by the field's name."""
    faults = {}
    others = session.scalars(select(Newsletter.id).where(Newsletter.id != after.newsletter_id)).all()
    for other in (load_identity(session, settings, each) for each in others):
        if other.slug == after.slug != before.slug:
            faults["slug"] = f"{other.name} already has the slug {after.slug}. Choose another."
        if _sender(other) == _sender(after) != _sender(before):
            faults["from_address"] = (
                f"The newsletter {other.slug} already sends as {other.sender_name} <{other.from_address}>. "
                "Choose another From address or From name."
            )
    return faults


def _sender(identity: Identity) -> tuple[str, str]:
    return identity.sender_name.casefold(), identity.from_address.casefold()


def write_columns(row: Newsletter, after: Identity) -> None:
    """Set the columns of a newsletter. Texts by language are rows of their own."""
    for name in filter(is_column, FIELDS):
        value = getattr(after, name)
        setattr(row, name, list(value) if isinstance(value, tuple) else value)
    row.colours = dict(after.colours)
    row.logo_hash = after.logo.hash if after.logo else None


def store_logo(session: Session, logo: EncodedLogo, now: datetime) -> Logo:
    """Store the bytes of a logo, unless they are stored already. Return its hash, media type and size."""
    if session.get(StoredLogo, logo.hash) is None:
        session.add(
            StoredLogo(
                hash=logo.hash,
                media_type=logo.media_type,
                width=logo.width,
                height=logo.height,
                content=logo.content,
                created_at=now,
            )
        )
        session.flush()
    return Logo(logo.hash, logo.media_type, (logo.width, logo.height))


def read_logo(session: Session, file: bytes | None, faults: dict[str, str], now: datetime) -> Logo | None:
    """Return the logo of a file, or None without a file. What is wrong with it goes into `faults`."""
    if file is None:
        return None
    from newsletter.newsletters.logo import encode_logo  # noqa: PLC0415 (Pillow is slow to import)

    try:
        encoded = encode_logo(file)
    except InputError as fault:
        faults["logo"] = str(fault)
    # An edit that fails must leave nothing behind, and the caller need not roll back for that.
    return None if faults else store_logo(session, encoded, now)


def write_texts(
    session: Session, row: Newsletter, before: Mapping[str, Texts], after: Mapping[str, Texts], now: datetime
) -> None:
    """Add a row for each language whose texts changed. Flushes."""
    for language, texts in after.items():
        if texts != before.get(language):
            session.add(
                NewsletterText(
                    newsletter_id=row.id,
                    language=language,
                    version=row.version,
                    name=texts.name,
                    tagline=texts.tagline,
                    consent=texts.consent,
                    subject=texts.subject,
                    since=now,
                )
            )
    session.flush()
