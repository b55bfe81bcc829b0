"""Add a newsletter beside the existing ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import FieldsInvalid
from newsletter.identity import Identity, Texts, load_identity
from newsletter.models import FIRST_NEWSLETTER, Newsletter
from newsletter.newsletters.edit import fill_first
from newsletter.newsletters.fields import HIGHEST_POSITION, apply_changes, colour_faults, read_changes
from newsletter.newsletters.store import (
    find_conflicts,
    lock_newsletters,
    read_logo,
    write_columns,
    write_texts,
)
from newsletter.settings import Settings


def add_newsletter(
    session: Session,
    settings: Settings,
    *,
    slug: str,
    fields: Mapping[str, str],
    logo: bytes | None = None,
    actor: str,
    now: datetime,
) -> Newsletter:
    """Add a newsletter with the `fields` given as text (see fields.py); return its row. Commits nothing.

    `logo` is an image file. Name and From address are needed. Postal address, languages, time zone and
    default frequency are those of the first newsletter if they are not given. Raises FieldsInvalid.
    """
    rows = lock_newsletters(session)
    fill_first(session, settings, now)
    given = {"name": "", "from_address": "", **fields, "slug": slug}
    blank = new_identity(session, settings, max(row.position for row in rows.values()))
    changes = read_changes(blank, given, blank.languages[0])
    after = apply_changes(blank, changes.values, blank.languages[0])
    # The texts given are in the first language of the new newsletter.
    first = after.languages[0]
    after = replace(after, texts={first: after.texts[blank.languages[0]]})
    faults = {
        **find_conflicts(session, settings, blank, after),
        **colour_faults(blank, after),
        **changes.faults,
    }
    if logo is not None:
        after = replace(after, logo=read_logo(session, logo, faults, now))
    if faults:
        raise FieldsInvalid(faults)
    row = Newsletter(version=1, created_at=now)
    write_columns(row, after)
    session.add(row)
    session.flush()
    write_texts(session, row, {}, after.texts, now)
    audit.record(session, actor, "newsletter.add", row.slug, now)
    return row


def new_identity(session: Session, settings: Settings, last_position: int) -> Identity:
    """Return a new newsletter before its own fields are given. It has some fields of the first newsletter."""
    first = load_identity(session, settings, FIRST_NEWSLETTER)
    return replace(
        first,
        newsletter_id=0,
        slug="",
        version=0,
        from_address="",
        from_name="",
        reply_to=None,
        position=min(last_position + 1, HIGHEST_POSITION),
        colours={},
        logo=None,
        texts={first.languages[0]: Texts("", str(Settings.__dataclass_fields__["tagline"].default))},
    )
