"""Change the manual order of an issue: check what an editor gave, and store it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.digest.order.store import store_order
from newsletter.digest.order.targets import find_target
from newsletter.errors import FieldsInvalid, StateConflict
from newsletter.models import IssueState, Newsletter, Release, ReleaseTopic, Topic
from newsletter.models.hand_order import HandOrder, HandSection

MOST_SECTIONS = 20
MOST_RELEASES = 200
# As long as the name of a topic.
LONGEST_TITLE = 120
_PUBLIC_ID = re.compile(r"[\w-]{1,16}", re.ASCII)


@dataclass(frozen=True)
class GivenSection:
    """A section as an editor gave it, with the public ids of its releases in order.

    `titles` has the titles in other languages than the newsletter's first one.
    """

    title: str
    releases: Sequence[str]
    titles: Mapping[str, str] = field(default_factory=dict)


def change_order(
    session: Session,
    newsletter_id: int,
    target_name: str,
    sections: Sequence[GivenSection],
    version: int,
    *,
    languages: Sequence[str],
    actor: str,
    now: datetime,
) -> int:
    """Store sections in place of the order with this version; return the new version. Commits nothing.

    `languages` are those of the newsletter. Without sections, the order is automatic again. Raises NotFound
    for an unknown target, and StateConflict if it cannot be changed any more. Raises OrderChanged if another
    person changed it meanwhile, and FieldsInvalid with a sentence for each section that cannot be used.
    """
    target = find_target(session, newsletter_id, target_name, now, lock=True)
    if target.closed:
        raise StateConflict(target.closed)
    issue = target.issue
    if issue is not None and issue.state is IssueState.HELD and issue.created_by != actor:
        raise StateConflict(
            f"{issue.title} waits for a second person. Until then, only {issue.created_by} can change its "
            "order."
        )
    order = check_sections(session, newsletter_id, sections, languages)
    stored = store_order(session, newsletter_id, target.name, order, version, actor=actor, now=now)
    slug = session.get_one(Newsletter, newsletter_id).slug
    releases = sum(len(each.release_ids) for each in order)
    detail = {"newsletter": slug, "sections": len(order), "releases": releases, "version": stored}
    audit.record(session, actor, "issue.order", target.name, now, **detail)
    return stored


def check_sections(
    session: Session, newsletter_id: int, sections: Sequence[GivenSection], languages: Sequence[str]
) -> HandOrder:
    """Return sections as an order. Raises FieldsInvalid with the faults of `section-1` and so on."""
    listed = [each for section in sections for each in section.releases]
    if len(sections) > MOST_SECTIONS or len(listed) > MOST_RELEASES:
        words = f"An issue has at most {MOST_SECTIONS} sections, and {MOST_RELEASES} releases in them."
        raise FieldsInvalid({"section-1": words})
    known = _find_releases(session, newsletter_id, listed)
    twice = {each for each, count in Counter(listed).items() if count > 1}
    faults, order = {}, []
    for number, section in enumerate(sections, start=1):
        fault = _fault_of(section, known, twice, languages)
        if fault:
            faults[f"section-{number}"] = fault
            continue
        translations = {each: text.strip() for each, text in section.titles.items() if text.strip()}
        ids = tuple(known[each] for each in section.releases)
        order.append(HandSection(section.title.strip(), ids, translations))
    if faults:
        raise FieldsInvalid(faults)
    return tuple(order)


def _fault_of(
    section: GivenSection, known: Collection[str], twice: Collection[str], languages: Sequence[str]
) -> str:
    """Return a sentence about the first fault of a section, or nothing."""
    if not section.title.strip():
        return f"Give this section a title ({languages[0]}), or move its releases out of it."
    for text in (section.title, *section.titles.values()):
        if len(text.strip()) > LONGEST_TITLE:
            return f"A title has at most {LONGEST_TITLE} characters. This one has {len(text.strip()):,}."
        if not text.strip().isprintable():
            return "A title is one line, without characters that cannot be printed."
    strange = next((each for each in section.titles if each not in languages), None)
    if strange is not None:
        return f"The newsletter has no language {strange[:20]}. It has: {', '.join(languages)}."
    unknown = next((each for each in section.releases if each not in known), None)
    if unknown is not None:
        return f"There is no release {unknown[:20]} under a topic of this newsletter."
    repeated = next((each for each in section.releases if each in twice), None)
    return f"The release {repeated} comes twice. It can stand in one place only." if repeated else ""


def _find_releases(session: Session, newsletter_id: int, public_ids: Sequence[str]) -> dict[str, int]:
    """Return the ids of those of these releases that have a topic of the newsletter, by public id."""
    there = exists().where(
        ReleaseTopic.release_id == Release.id,
        ReleaseTopic.topic_id == Topic.id,
        Topic.newsletter_id == newsletter_id,
    )
    ids = {each for each in public_ids if _PUBLIC_ID.fullmatch(each)}
    found = select(Release.public_id, Release.id).where(Release.public_id.in_(ids), there)
    return {public_id: release_id for public_id, release_id in session.execute(found)}
