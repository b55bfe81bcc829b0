"""Edit topics and their groups: names and descriptions for each language, the group, the position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import FieldsInvalid, NotFound
from newsletter.identity import Identity
from newsletter.models import Topic, TopicGroup
from newsletter.releases.topics.manage import check_slug, find_topic, read_texts


def edit_topic(
    session: Session,
    identity: Identity,
    slug: str,
    given: Mapping[str, str],
    *,
    language: str = "",
    actor: str,
    now: datetime,
) -> Sequence[str]:
    """Change the name, description, group (a slug, or "" for none) and position of a topic of `identity`.

    Returns the names of the fields that changed. Name and description are those in `language`; "" is the
    newsletter's first, whose texts serve every language without its own. An empty name in another language
    removes its texts. Commits nothing. Raises NotFound and FieldsInvalid.
    """
    topic = find_topic(session, slug)
    if topic.newsletter_id != identity.newsletter_id:
        raise NotFound(f"there is no topic {slug} in the newsletter {identity.slug}")
    faults = _language_fault(identity, language)
    values = read_texts(given, faults, name_needed=language in {"", identity.languages[0]})
    group = _group_of(session, identity, given, faults)
    if faults:
        raise FieldsInvalid(faults)
    changed = []
    texts = {name: text for name, text in values.items() if name != "position"}
    if language in {"", identity.languages[0]}:
        changed += _set(topic, texts)
    else:
        before = topic.translations or {}
        after = _translated(before, language, texts)
        changed += [name for name in texts if before.get(language, {}).get(name, "") != texts[name]]
        if after != before:
            topic.translations = after or None
    if "group" in given:
        changed += _set(topic, {"group_id": group.id if group else None}, shown_as="group")
    if "position" in values:
        changed += _set(topic, {"position": int(values["position"])})
    if changed:
        session.flush()
        audit.record(session, actor, "topic.edit", slug, now, fields=sorted(changed), language=language)
    return changed


def add_group(
    session: Session, identity: Identity, slug: str, name: str, *, actor: str, now: datetime
) -> TopicGroup:
    """Add a group after the other groups of a newsletter; return it. Commits nothing.

    Raises FieldsInvalid, also if the newsletter has a group with this slug.
    """
    faults = check_slug(slug)
    name = read_texts({"name": name}, faults, name_needed=True).get("name", "")
    owned = TopicGroup.newsletter_id == identity.newsletter_id
    if session.scalar(select(TopicGroup.id).where(owned, TopicGroup.slug == slug)) is not None:
        faults["slug"] = f"There is already a group {slug} in the newsletter {identity.slug}."
    if faults:
        raise FieldsInvalid(faults)
    last = session.scalar(select(func.max(TopicGroup.position)).where(owned))
    group = TopicGroup(
        newsletter_id=identity.newsletter_id,
        slug=slug,
        name=name,
        position=0 if last is None else last + 1,
        created_at=now,
    )
    session.add(group)
    session.flush()
    audit.record(session, actor, "topic.group.add", slug, now, newsletter=identity.slug)
    return group


def edit_group(
    session: Session,
    identity: Identity,
    slug: str,
    given: Mapping[str, str],
    *,
    language: str = "",
    actor: str,
    now: datetime,
) -> Sequence[str]:
    """Change the name (in `language`, as in `edit_topic`) and position of a group; return what changed.

    Commits nothing. Raises NotFound and FieldsInvalid.
    """
    group = find_group(session, identity, slug)
    faults = _language_fault(identity, language)
    values = read_texts(given, faults, name_needed=language in {"", identity.languages[0]})
    if faults:
        raise FieldsInvalid(faults)
    changed = []
    if "name" in values and language in {"", identity.languages[0]}:
        changed += _set(group, {"name": values["name"]})
    elif "name" in values and group.translations.get(language, "") != values["name"]:
        others = {tag: name for tag, name in group.translations.items() if tag != language}
        group.translations = others | ({language: values["name"]} if values["name"] else {})
        changed.append("name")
    if "position" in values:
        changed += _set(group, {"position": int(values["position"])})
    if changed:
        session.flush()
        audit.record(session, actor, "topic.group.edit", slug, now, fields=changed, language=language)
    return changed


def find_group(session: Session, identity: Identity, slug: str) -> TopicGroup:
    """Return a group of a newsletter. Raises NotFound, which lists the groups that exist."""
    groups = list_groups(session, identity.newsletter_id)
    found = next((each for each in groups if each.slug == slug), None)
    if found is None:
        known = ", ".join(each.slug for each in groups) or "none yet"
        raise NotFound(f"There is no group {slug} in the newsletter {identity.slug}. There are: {known}.")
    return found


def list_groups(session: Session, newsletter_id: int) -> Sequence[TopicGroup]:
    """Return the groups of a newsletter, in the order of the sign-up page."""
    owned = select(TopicGroup).where(TopicGroup.newsletter_id == newsletter_id)
    return session.scalars(owned.order_by(TopicGroup.position, TopicGroup.id)).all()


def _language_fault(identity: Identity, language: str) -> dict[str, str]:
    if not language or language in identity.languages:
        return {}
    known = ", ".join(identity.languages)
    return {"language": f"The newsletter {identity.slug} has no texts in {language}. It has: {known}."}


def _group_of(
    session: Session, identity: Identity, given: Mapping[str, str], faults: dict[str, str]
) -> TopicGroup | None:
    slug = given.get("group", "").strip()
    if not slug:
        return None
    try:
        return find_group(session, identity, slug)
    except NotFound as fault:
        faults["group"] = str(fault)
        return None


def _translated(
    before: Mapping[str, Mapping[str, str]], language: str, texts: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Return the translations with the changed texts of one language; without it if it has no name."""
    after = {tag: dict(own) for tag, own in before.items()}
    after[language] = {**after.get(language, {}), **texts}
    if not after[language].get("name"):
        del after[language]
    return after


def _set(row: Topic | TopicGroup, values: Mapping[str, object], shown_as: str = "") -> list[str]:
    """Set the columns that differ; return their names."""
    differ = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in differ.items():
        setattr(row, name, value)
    return [shown_as or name for name in differ]
