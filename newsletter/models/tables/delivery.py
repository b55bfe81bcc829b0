"""The outbox: one row for one message to one subscriber."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Enum,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime, choice


class DeliveryState(enum.StrEnum):
    """QUEUED and DEFERRED wait, LEASED is with a worker, the rest is settled.

    UNCERTAIN: the content went out and the answer never came (RFC 1047); sending again might
    deliver twice, so it waits for a person, or for the setting that decides.
    """

    QUEUED = "queued"
    LEASED = "leased"
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


UNSETTLED = (DeliveryState.QUEUED, DeliveryState.LEASED, DeliveryState.DEFERRED)


class BounceVerdict(enum.StrEnum):
    """What is known of a digest that was refused, mostly because there is no such mailbox.

    UNJUDGED: not decided yet. GONE: believed, the address is suppressed. WAIT: not believed, the address is
    emailed as before. RELAY, DOMAIN: so many were refused that the owner is asked. ISSUE: nobody of the issue
    was accepted, so the owner is asked. FINAL: the owner answered that it is final, and nobody is suppressed.
    """

    UNJUDGED = "unjudged"
    GONE = "gone"
    WAIT = "wait"
    RELAY = "relay"
    DOMAIN = "domain"
    ISSUE = "issue"
    FINAL = "final"


class Lane(enum.StrEnum):
    """Single mails (somebody is waiting for a confirmation) overtake bulk."""

    SINGLE = "single"
    BULK = "bulk"


class Delivery(Base):
    """A digest (`issue_id`, `rendition_id`) or a single mail (`template`, `context`).

    A single mail stores a template's name and its context, never a token: the worker renders
    it and makes the links. `recipient` is set only for mail to somebody who is not a
    subscriber, such as the test of a digest.
    """

    __tablename__ = "delivery"
    # A million rows are written and changed three times each for one issue: every index here is
    # paid for that often, so the ones that single mails need hold single mails only.
    __table_args__ = (
        UniqueConstraint("issue_id", "subscriber_id"),
        UniqueConstraint("subscriber_id", "purpose_key"),
        Index(
            "uq_delivery_recipient", "recipient", "purpose_key", unique=True,
            sqlite_where=text("recipient IS NOT NULL"), postgresql_where=text("recipient IS NOT NULL"),
        ),
        Index("ix_delivery_issue_id_state_due_at", "issue_id", "state", "due_at"),
        Index(
            "ix_delivery_single", "state", "due_at",
            sqlite_where=text("lane = 'single'"), postgresql_where=text("lane = 'single'"),
        ),
        Index(
            "ix_delivery_build_failed_at", "build_failed_at",
            sqlite_where=text("build_failed_at IS NOT NULL"),
            postgresql_where=text("build_failed_at IS NOT NULL"),
        ),
        Index(
            "ix_delivery_leased_by", "leased_by",
            sqlite_where=text("leased_by IS NOT NULL"), postgresql_where=text("leased_by IS NOT NULL"),
        ),
        # The order in which a relay answered, and a domain: outbox/refused/judge.py reads some hundred rows
        # of it.
        Index(
            "ix_delivery_relay_key", "relay_key", "answered_microseconds",
            sqlite_where=text("relay_key IS NOT NULL"), postgresql_where=text("relay_key IS NOT NULL"),
        ),
        Index(
            "ix_delivery_domain_key", "domain_key", "answered_microseconds",
            sqlite_where=text("domain_key IS NOT NULL"), postgresql_where=text("domain_key IS NOT NULL"),
        ),
        Index(
            "ix_delivery_verdict", "verdict", "relay_key", "answered_microseconds",
            sqlite_where=text("verdict IS NOT NULL"), postgresql_where=text("verdict IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    lane: Mapped[Lane] = mapped_column(choice(Lane, "lane"))
    issue_id: Mapped[int | None] = mapped_column(ForeignKey("issue.id"))
    rendition_id: Mapped[int | None] = mapped_column(ForeignKey("rendition.id"))
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscriber.id"))
    recipient: Mapped[str | None] = mapped_column(String(320))
    purpose_key: Mapped[str | None] = mapped_column(String(80))
    template: Mapped[str | None] = mapped_column(String(40))
    context: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    language: Mapped[str] = mapped_column(String(16), default="en")
    state: Mapped[DeliveryState] = mapped_column(choice(DeliveryState, "delivery_state"))
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    leased_by: Mapped[str | None] = mapped_column(String(80))
    leased_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    attempt: Mapped[int] = mapped_column(default=0)
    reply_code: Mapped[int | None]
    reply_text: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str | None] = mapped_column(String(12))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # When its message could last not be made; None once one was. It says nothing about the recipient.
    build_failed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    bounced_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    complained_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # What a relay decided about a digest: which relay, the recipient's domain (both by their hash), and when
    # its reply was heard, in microseconds since 1970: a batch is written down at once, in any order.
    relay_key: Mapped[int | None] = mapped_column(BigInteger)
    domain_key: Mapped[int | None] = mapped_column(BigInteger)
    answered_microseconds: Mapped[int | None] = mapped_column(BigInteger)
    verdict: Mapped[BounceVerdict | None] = mapped_column(
        Enum(
            BounceVerdict, name="bounce_verdict", native_enum=False, create_constraint=False, length=12,
            values_callable=lambda members: [member.value for member in members],
        )
    )  # fmt: skip


def is_gone() -> ColumnElement[bool]:
    """Return the condition that a delivery's address is known to be dead: it is not sent again."""
    return and_(Delivery.verdict.is_not(None), Delivery.verdict == literal_column("'gone'"))


def is_single() -> ColumnElement[bool]:
    """Return the condition for the single lane, written out so that its partial index serves it."""
    return Delivery.lane == literal_column("'single'")
