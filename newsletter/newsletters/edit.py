"""Edit a newsletter: fill its first content from the settings, then change it, keeping earlier texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import FieldsInvalid, NotFound, StateConflict
from newsletter.identity import Identity, identity_of_settings, load_identity, load_texts
from newsletter.models import FIRST_NEWSLETTER, Newsletter, NewsletterText
from newsletter.newsletters.fields import FIELDS, Changes, read_changes
from newsletter.settings import Settings, variable

# The former setting of a field that has another name now.
_FORMER_NAMES = {"name": "site_name"}


def fill_first(session: Session, settings: Settings, now: datetime) -> bool:
    """Fill the first newsletter from the settings, unless it has content; return whether it did.

    Commits nothing.
    """
    row = _locked(session, FIRST_NEWSLETTER)
    if row.version:
        return False
    source = identity_of_settings(settings)
    row.version = 1
    row.from_address, row.from_name, row.reply_to = source.from_address, source.from_name, source.reply_to
    row.postal_address, row.languages = source.postal_address, list(source.languages)
    row.time_zone, row.default_frequency = source.time_zone, source.default_frequency
    for language, texts in source.texts.items():
        session.add(
            NewsletterText(
                newsletter_id=row.id,
                language=language,
                version=row.version,
                name=texts.name,
                tagline=texts.tagline,
                since=now,
            )
        )
    session.flush()
    return True


def edit_newsletter(
    session: Session,
    settings: Settings,
    given: Mapping[str, str],
    *,
    language: str = "",
    version: str = "",
    actor: str,
    now: datetime,
    newsletter_id: int = FIRST_NEWSLETTER,
) -> Sequence[str]:
    """Change the fields in `given` (texts by field, see fields.py); return the names of those that changed.

    The texts that differ by language are those of `language`; "" is the newsletter's first. A newsletter
    without content is filled from the settings first. Commits nothing. Raises FieldsInvalid, NotFound, and
    StateConflict if `version`, the version that a page showed, is no longer the newest.
    """
    row = _locked(session, newsletter_id)
    if version and version != str(row.version):
        raise StateConflict(
            "The newsletter was changed after you opened this page. Open it again, and repeat your change."
        )
    if newsletter_id == FIRST_NEWSLETTER:
        fill_first(session, settings, now)
    before = load_identity(session, settings, newsletter_id)
    language = language or before.languages[0]
    changes = read_changes(before, given, language)
    faults = dict(changes.faults)
    if language not in changes.values.get("languages", before.languages):  # type: ignore[operator]
        faults["language"] = f"The newsletter has no texts in {language}: it is not among its languages."
    if faults:
        raise FieldsInvalid(faults)
    if not changes.values:
        return []
    row.version += 1
    _write_texts(session, row, before, changes, language, now)
    for name, value in changes.values.items():
        if not FIELDS[name].by_language:
            setattr(row, name, list(value) if isinstance(value, tuple) else value)
    session.flush()
    changed = sorted(changes.values)
    # The audit log never has an address, so it names the fields only.
    audit.record(session, actor, "newsletter.edit", row.slug, now, fields=changed, language=language)
    return changed


def _write_texts(
    session: Session, row: Newsletter, before: Identity, changes: Changes, language: str, now: datetime
) -> None:
    """Add a version of the texts in `language`, and of the first language if it has none yet."""
    known = load_texts(session, row.id)
    first = next(iter(changes.values.get("languages") or before.languages))
    edited = {name: value for name, value in changes.values.items() if FIELDS[name].by_language}
    wanted = {language: edited} if edited else {}
    if first not in known:
        # Everybody without texts in their language gets those of the first.
        wanted.setdefault(first, {})
    for tag, values in wanted.items():
        texts = before.texts_in(tag)
        session.add(
            NewsletterText(
                newsletter_id=row.id,
                language=tag,
                version=row.version,
                name=values.get("name", texts.name),
                tagline=values.get("tagline", texts.tagline),
                # Without a text of its own, a language has its usual wording.
                consent=known[tag].consent if tag in known else "",
                since=now,
            )
        )


def differing_settings(settings: Settings, identity: Identity) -> list[str]:
    """Return the variables of former settings that are set and differ from the newsletter's content.

    A setting with its default value counts as not set.
    """
    if identity.version == 0:
        return []
    own = identity.applied_to(settings)
    found = []
    for name in FIELDS:
        former = _FORMER_NAMES.get(name, name)
        set_to = getattr(settings, former)
        if set_to not in {getattr(own, former), _default(former)}:
            found.append(variable(former))
    return found


def _default(name: str) -> object:
    field = Settings.__dataclass_fields__[name]
    return field.default


def _locked(session: Session, newsletter_id: int) -> Newsletter:
    wanted = select(Newsletter).where(Newsletter.id == newsletter_id).with_for_update()
    row = session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFound("There is no such newsletter.")
    return row
