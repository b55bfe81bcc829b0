"""Topics are made, and their rules changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from newsletter.errors import InputError, NotFound, StateConflict
from newsletter.models import RuleField, RuleMatch, Topic, TopicRule

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def add_topic(
    session: Session,
    *,
    slug: str,
    name: str,
    description: str = "",
    match: RuleMatch = RuleMatch.ANY,
    rules: Iterable[tuple[RuleField, str]] = (),
    now: datetime,
) -> Topic:
    """Add a topic after the others; return it. Commits nothing.

    Raises InputError for a slug that is not lower-case words joined by hyphens, and StateConflict
    for one that is taken.
    """
    if not _SLUG.fullmatch(slug) or len(slug) > 64:
        raise InputError(f"{slug!r} is not a slug: lower-case letters and digits, joined by hyphens")
    if not name.strip() or len(name) > 120:
        raise InputError("a topic needs a name of at most 120 characters")
    if session.scalar(select(Topic.id).where(Topic.slug == slug)) is not None:
        raise StateConflict(f"there is a topic {slug} already")
    last = session.scalar(select(func.max(Topic.position)))
    topic = Topic(
        slug=slug,
        name=name.strip(),
        description=description.strip(),
        position=0 if last is None else last + 1,
        rule_match=match,
        created_at=now,
        rules=_rules(rules),
    )
    session.add(topic)
    session.flush()
    return topic


def change_rules(
    session: Session, slug: str, rules: Iterable[tuple[RuleField, str]], *, clear: bool = False
) -> Topic:
    """Add rules to a topic, after taking the present ones away if asked. Commits nothing.

    They sort the releases that come from now on; the ones that are there stay as they are.
    """
    topic = session.scalar(select(Topic).where(Topic.slug == slug))
    if topic is None:
        raise NotFound(f"there is no topic {slug}")
    kept = [] if clear else list(topic.rules)
    topic.rules = kept + _rules(rules)
    session.flush()
    return topic


def list_topics(session: Session) -> Sequence[Topic]:
    """Return every topic with its rules, in the order that readers see."""
    return session.scalars(
        select(Topic).options(selectinload(Topic.rules)).order_by(Topic.position, Topic.id)
    ).all()


def _rules(rules: Iterable[tuple[RuleField, str]]) -> list[TopicRule]:
    made = []
    for field, pattern in rules:
        words = " ".join(pattern.split())
        if not words or len(words) > 200:
            raise InputError("a rule is a word or some words, at most 200 characters")
        made.append(TopicRule(field=field, pattern=words))
    return made
