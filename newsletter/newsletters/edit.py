"""Edit a newsletter: fill its first content from the settings, then change it, keeping earlier texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import FieldsInvalid, StateConflict
from newsletter.identity import Identity, identity_of_settings, load_identity
from newsletter.models import FIRST_NEWSLETTER
from newsletter.newsletters.fields import FIELDS, Changes, apply_changes, colour_faults, read_changes
from newsletter.newsletters.store import (
    find_conflicts,
    lock_newsletter,
    read_logo,
    write_columns,
    write_texts,
)
from newsletter.settings import Settings, variable


def fill_first(session: Session, settings: Settings, now: datetime) -> bool:
    """Fill the first newsletter from the settings, unless it has content; return whether it did.

    Commits nothing.
    """
    row = lock_newsletter(session, FIRST_NEWSLETTER)
    if row.version:
        return False
    source = identity_of_settings(settings)
    row.version = 1
    row.from_address, row.from_name, row.reply_to = source.from_address, source.from_name, source.reply_to
    row.postal_address, row.languages = source.postal_address, list(source.languages)
    row.time_zone, row.default_frequency = source.time_zone, source.default_frequency
    write_texts(session, row, {}, source.texts, now)
    return True


def edit_newsletter(
    session: Session,
    settings: Settings,
    given: Mapping[str, str],
    *,
    language: str = "",
    logo: bytes | None = None,
    no_logo: bool = False,
    version: str = "",
    actor: str,
    now: datetime,
    newsletter_id: int = FIRST_NEWSLETTER,
) -> Sequence[str]:
    """Change the fields in `given` (texts by field, see fields.py); return the names of those that changed.

    The texts that differ by language are those of `language`; "" is the newsletter's first. A newsletter
    without content is filled from the settings first. `logo` is the file of a new logo, and `no_logo` removes
    it. Commits nothing. Raises FieldsInvalid, NotFound, and StateConflict if `version`, the version that a
    page showed, is no longer the newest.
    """
    row = lock_newsletter(session, newsletter_id)
    if version and version != str(row.version):
        raise StateConflict(
            "The newsletter was changed after you opened this page. Open it again, and repeat your change."
        )
    if newsletter_id == FIRST_NEWSLETTER:
        fill_first(session, settings, now)
    before = load_identity(session, settings, newsletter_id)
    language = language or before.languages[0]
    changes, after, faults = _judge(session, settings, before, given, language)
    if logo is not None or no_logo:
        after = replace(after, logo=read_logo(session, logo, faults, now))
    if faults:
        raise FieldsInvalid(faults)
    changed = sorted([*changes.values, *(["logo"] if after.logo != before.logo else [])])
    if not changed:
        return []
    row.version += 1
    write_columns(row, after)
    write_texts(session, row, before.texts, after.texts, now)
    # The audit log never has an address, so it names the fields only.
    audit.record(session, actor, "newsletter.edit", row.slug, now, fields=changed, language=language)
    return changed


def try_edit(
    session: Session, settings: Settings, before: Identity, given: Mapping[str, str], language: str
) -> Identity:
    """Return what an edit would make of a newsletter; store nothing. Raises FieldsInvalid."""
    _, after, faults = _judge(session, settings, before, given, language)
    if faults:
        raise FieldsInvalid(faults)
    return after


def _judge(
    session: Session, settings: Settings, before: Identity, given: Mapping[str, str], language: str
) -> tuple[Changes, Identity, dict[str, str]]:
    """Return what changes, the newsletter with the changes, and what is wrong with each field."""
    changes = read_changes(before, given, language)
    after = apply_changes(before, changes.values, language)
    faults = {
        **_missing(after),
        **find_conflicts(session, settings, before, after),
        **colour_faults(before, after),
        **changes.faults,
    }
    if language not in after.languages:
        faults["language"] = f"The newsletter has no texts in {language}: it is not among its languages."
    return changes, after, faults


def _missing(after: Identity) -> dict[str, str]:
    """Return a sentence for each field that a newsletter needs, and that neither it nor the settings have."""
    needed = {"from_address": after.from_address, "postal_address": after.postal_address}
    return {name: f"{FIELDS[name].label} is empty." for name, value in needed.items() if not value}


def differing_settings(settings: Settings, identity: Identity) -> list[str]:
    """Return the variables of former settings that are set and differ from the newsletter's content.

    A setting with its default value counts as not set. Former settings filled the first newsletter only.
    """
    if identity.version == 0 or identity.newsletter_id != FIRST_NEWSLETTER:
        return []
    first = identity.texts_in(identity.languages[0])
    found = []
    for name, field in FIELDS.items():
        if field.setting:
            own = getattr(first if field.by_language else identity, name)
            if getattr(settings, field.setting) not in {own, _default(field.setting)}:
                found.append(variable(field.setting))
    return found


def _default(name: str) -> object:
    field = Settings.__dataclass_fields__[name]
    return field.default
