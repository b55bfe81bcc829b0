"""The topics that the sign-up page offers, with their texts in each language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.models import TOPIC_ORDER, Topic, TopicGroup, of_language


@dataclass(frozen=True)
class OfferedTopic:
    """A topic in the form that the sign-up page shows. `group` is the name of its group, or ""."""

    topic_id: int
    newsletter_id: int
    slug: str
    name: str
    description: str
    group: str = ""
    # Texts in other languages, by tag.
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    group_translations: Mapping[str, str] = field(default_factory=dict)

    def shown_in(self, language: str) -> OfferedTopic:
        """Return the topic with its texts in a language."""
        if not self.translations and not self.group_translations:
            return self
        own = of_language(self.translations, language)
        return replace(
            self,
            name=(own or {}).get("name") or self.name,
            description=self.description if own is None else own.get("description", ""),
            group=of_language(self.group_translations, language) or self.group,
        )


def offered_topics(session: Session) -> tuple[OfferedTopic, ...]:
    """Return every topic of every newsletter, in the order that the owner set."""
    topics = (
        select(
            Topic.id,
            Topic.newsletter_id,
            Topic.slug,
            Topic.name,
            Topic.description,
            Topic.translations,
            TopicGroup.name,
            TopicGroup.translations,
        )
        .outerjoin(Topic.group)
        .order_by(*TOPIC_ORDER)
    )
    return tuple(
        OfferedTopic(number, newsletter, slug, name, description, group or "", texts or {}, names or {})
        for number, newsletter, slug, name, description, texts, group, names in session.execute(topics)
    )


def find_newsletter_of(session: Session, topic_slug: str) -> int | None:
    """Return the newsletter of the topic with this slug; None if there is no such topic."""
    if "\0" in topic_slug:  # PostgreSQL refuses such a query
        return None
    return session.scalar(select(Topic.newsletter_id).where(Topic.slug == topic_slug))
