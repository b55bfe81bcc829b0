"""The table of subscriptions: one subscriber, one topic, one frequency, and how far it has been served."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from newsletter.models.base import Base, BigId, UTCDateTime, choice
from newsletter.models.tables.subscriber import Subscriber
from newsletter.models.tables.topic import Topic


class Frequency(enum.StrEnum):
    """How often a subscriber gets the new releases of a topic."""

    IMMEDIATE = "immediate"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"

    @property
    def words(self) -> str:
        """The English name: "as it happens", "daily", "weekly" or "monthly"."""
        return "as it happens" if self is Frequency.IMMEDIATE else self.value

    @property
    def option(self) -> str:
        """The name in commands, such as as-it-happens."""
        return self.words.replace(" ", "-")


class SubscriptionState(enum.StrEnum):
    """PENDING waits for the confirmation, ACTIVE gets issues, ENDED is kept as history."""

    PENDING = "pending"
    ACTIVE = "active"
    ENDED = "ended"


class EndedReason(enum.StrEnum):
    """Why a subscription ended."""

    UNSUBSCRIBED = "unsubscribed"
    CHANGED = "changed"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    ERASED = "erased"
    REMOVED = "removed"
    DISOWNED = "disowned"
    MOVED = "moved"


class Subscription(Base):
    """One topic of a subscriber. A change ends the row and adds a new one.

    `started_sequence` is the counter at confirmation: releases up to it are never sent. `covered_to` is the
    highest sequence that was served. Only coverage.py moves these two. A change of frequency carries both
    over to the new row, so no release is missed or sent twice.

    `newsletter_id` is that of the topic, which never changes. It is here for an index, which finds the
    subscribers of one newsletter among those of many.

    `moved_from_id` is the row of another subscriber that this row continues. That subscriber changed to this
    address, which had a subscriber already (subscribers/choices/merge.py).
    """

    __tablename__ = "subscription"
    __table_args__ = (
        ForeignKeyConstraint(["topic_id", "newsletter_id"], ["topic.id", "topic.newsletter_id"]),
        Index(
            "uq_subscription_active", "subscriber_id", "topic_id", unique=True,
            sqlite_where=text("state = 'active'"), postgresql_where=text("state = 'active'"),
        ),
        Index(
            "uq_subscription_pending", "subscriber_id", "topic_id", unique=True,
            sqlite_where=text("state = 'pending'"), postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_subscription_moved_from_id", "moved_from_id",
            sqlite_where=text("moved_from_id IS NOT NULL"),
            postgresql_where=text("moved_from_id IS NOT NULL"),
        ),
        # For the counts of the overview.
        Index(
            "ix_subscription_confirmed_at", "confirmed_at", "state", "subscriber_id",
            sqlite_where=text("confirmed_at IS NOT NULL"), postgresql_where=text("confirmed_at IS NOT NULL"),
        ),
        Index(
            "ix_subscription_ended_at", "ended_at", "subscriber_id",
            sqlite_where=text("ended_at IS NOT NULL"), postgresql_where=text("ended_at IS NOT NULL"),
        ),
        Index(
            "ix_subscription_state_newsletter_id_frequency_subscriber_id",
            "state", "newsletter_id", "frequency", "subscriber_id",
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id"), index=True)
    topic_id: Mapped[int] = mapped_column(BigId, index=True)
    newsletter_id: Mapped[int] = mapped_column(BigId, server_default=text("1"))
    frequency: Mapped[Frequency] = mapped_column(choice(Frequency, "frequency"))
    state: Mapped[SubscriptionState] = mapped_column(choice(SubscriptionState, "subscription_state"))
    started_sequence: Mapped[int] = mapped_column(BigId, default=0)
    covered_to: Mapped[int] = mapped_column(BigId, default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_reason: Mapped[EndedReason | None] = mapped_column(choice(EndedReason, "ended_reason"))
    ended_delivery_id: Mapped[int | None] = mapped_column(BigId)
    moved_from_id: Mapped[int | None] = mapped_column(BigId)

    subscriber: Mapped[Subscriber] = relationship()
    topic: Mapped[Topic] = relationship()
