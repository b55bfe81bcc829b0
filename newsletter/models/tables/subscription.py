"""A subscriber's interest in one topic, at one frequency, from one sequence on."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from newsletter.models.base import Base, BigId, UTCDateTime, choice
from newsletter.models.tables.subscriber import Subscriber
from newsletter.models.tables.topic import Topic


class Frequency(enum.StrEnum):
    """How often a reader wants what is new under a topic."""

    IMMEDIATE = "immediate"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class SubscriptionState(enum.StrEnum):
    """PENDING waits for the confirmation, ACTIVE is served, ENDED is history."""

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
    """Rows end and are followed by new ones; only coverage.py moves the two marks of an active one.

    `moved_from_id` is the row of another person that a move to this address ended (handover.py).

    `started_sequence` is the floor of every selection (the counter at confirmation), and
    `covered_to` the highest sequence this subscription has been served. A change of frequency
    ends the row and carries both over, so nothing is missed or sent twice.
    """

    __tablename__ = "subscription"
    __table_args__ = (
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
        Index("ix_subscription_state_frequency_subscriber_id", "state", "frequency", "subscriber_id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id"), index=True)
    topic_id: Mapped[int] = mapped_column(ForeignKey("topic.id"), index=True)
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
