"""Tables of topics and of the rules that match releases to them."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
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


class Topic(Base):
    """A topic that subscribers choose: a name, a description and the rules that match releases to it."""

    __tablename__ = "topic"
    # The foreign key of subscriptions refers to both columns.
    __table_args__ = (Index("uq_topic_id_newsletter_id", "id", "newsletter_id", unique=True),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    newsletter_id: Mapped[int] = newsletter_column(index=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(Text, default="")
    position: Mapped[int] = mapped_column(default=0)
    rule_match: Mapped[RuleMatch] = mapped_column(choice(RuleMatch, "rule_match"), default=RuleMatch.ANY)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

    rules: Mapped[list[TopicRule]] = relationship(cascade="all, delete-orphan", order_by="TopicRule.id")


class TopicRule(Base):
    """One rule: the release's `field` contains the words of `pattern` (releases/match_words.py)."""

    __tablename__ = "topic_rule"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    topic_id: Mapped[int] = mapped_column(ForeignKey("topic.id", ondelete="CASCADE"), index=True)
    field: Mapped[RuleField] = mapped_column(choice(RuleField, "rule_field"))
    pattern: Mapped[str] = mapped_column(String(200))
