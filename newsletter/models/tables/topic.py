"""Tables of topics, of the groups they stand in, and of the rules that match releases to them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from newsletter.models.base import Base, BigId, UTCDateTime, choice, newsletter_column


class RuleMatch(enum.StrEnum):
    """Whether a release must match one rule of a topic, or all of them."""

    ANY = "any"
    ALL = "all"


class RuleField(enum.StrEnum):
    """The part of a release that a rule compares."""

    PUBLISHER = "publisher"
    WORDS = "words"
    LANGUAGE = "language"
    TAG = "tag"
    SOURCE = "source"


T = TypeVar("T")


def of_language(translations: Mapping[str, T], language: str) -> T | None:
    """Return what `translations` has for a language tag such as de-AT: its own, or that of de, or None."""
    return translations.get(language) or translations.get(language.partition("-")[0])


class TopicGroup(Base):
    """A named group of topics of one newsletter, for pages with many topics.

    `name` is in the newsletter's first language, and serves every language without a name of its own.
    """

    __tablename__ = "topic_group"
    __table_args__ = (UniqueConstraint("newsletter_id", "slug"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletter.id"))
    slug: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(120))
    # Names by language tag.
    translations: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    position: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

    def name_in(self, language: str) -> str:
        """Return the name in a language."""
        return of_language(self.translations, language) or self.name


class Topic(Base):
    """A topic that subscribers choose: a name, a description and the rules that match releases to it.

    `name` and `description` are in the newsletter's first language, and serve every language without
    texts of its own.
    """

    __tablename__ = "topic"
    # The foreign key of subscriptions refers to both columns.
    __table_args__ = (Index("uq_topic_id_newsletter_id", "id", "newsletter_id", unique=True),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    newsletter_id: Mapped[int] = newsletter_column(index=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(Text, default="")
    # {"name": ..., "description": ...} by language tag, or nothing.
    translations: Mapped[dict[str, dict[str, str]] | None] = mapped_column(JSON(none_as_null=True))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("topic_group.id"))
    position: Mapped[int] = mapped_column(default=0)
    rule_match: Mapped[RuleMatch] = mapped_column(choice(RuleMatch, "rule_match"), default=RuleMatch.ANY)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

    rules: Mapped[list[TopicRule]] = relationship(cascade="all, delete-orphan", order_by="TopicRule.id")
    rule_groups: Mapped[list[TopicRuleGroup]] = relationship(
        cascade="all, delete-orphan", order_by="TopicRuleGroup.number"
    )
    group: Mapped[TopicGroup | None] = relationship()

    def name_in(self, language: str) -> str:
        """Return the name in a language."""
        return (of_language(self.translations or {}, language) or {}).get("name") or self.name

    def description_in(self, language: str) -> str:
        """Return the description in a language."""
        own = of_language(self.translations or {}, language)
        return self.description if own is None else own.get("description", "")


# The order of topics on pages: those without a group, then group by group. A query needs an outer join of
# Topic.group.
TOPIC_ORDER = (
    TopicGroup.id.is_not(None),
    TopicGroup.position,
    TopicGroup.id,
    Topic.position,
    Topic.name,
)


class TopicRule(Base):
    """One rule on the `field` of a release (releases/rules/match.py). `group_number` is that of its group."""

    __tablename__ = "topic_rule"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    topic_id: Mapped[int] = mapped_column(ForeignKey("topic.id", ondelete="CASCADE"), index=True)
    field: Mapped[RuleField] = mapped_column(choice(RuleField, "rule_field"))
    pattern: Mapped[str] = mapped_column(String(200))
    is_not: Mapped[bool] = mapped_column(default=False, server_default=false())
    group_number: Mapped[int | None]


class TopicRuleGroup(Base):
    """A group of rules of a topic, which counts as one rule. It stands where its number is."""

    __tablename__ = "topic_rule_group"

    topic_id: Mapped[int] = mapped_column(ForeignKey("topic.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    match: Mapped[RuleMatch] = mapped_column(choice(RuleMatch, "rule_group_match"))
    is_not: Mapped[bool] = mapped_column(default=False, server_default=false())
