"""The outbox table: a row (Delivery) for each message to one recipient, with its state and last reply."""

from __future__ import annotations

import enum
from collections.abc import Collection
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
    or_,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime, choice
from newsletter.models.tables.newsletter import FIRST_NEWSLETTER


class DeliveryState(enum.StrEnum):
    """The state of a delivery. QUEUED and DEFERRED wait, a worker holds LEASED, the others are settled.

    UNCERTAIN: the content was sent and the reply never came (RFC 1047). Sending again might deliver twice.
    So it waits for a person, unless the setting `resend_uncertain` says to send it again.
    """

    QUEUED = "queued"
    LEASED = "leased"
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def words(self) -> str:
        """The English name for people, on admin pages and in commands. JSON and CSV have the value."""
        return _STATES_IN_WORDS[self]


_STATES_IN_WORDS = {
    DeliveryState.QUEUED: "waiting",
    DeliveryState.LEASED: "sending",
    DeliveryState.ACCEPTED: "delivered to the relay",
    DeliveryState.DEFERRED: "will retry",
    DeliveryState.REJECTED: "refused",
    DeliveryState.UNCERTAIN: "unknown",
    DeliveryState.SKIPPED: "skipped",
    DeliveryState.CANCELLED: "cancelled",
}

UNSETTLED = (DeliveryState.QUEUED, DeliveryState.LEASED, DeliveryState.DEFERRED)


class BounceVerdict(enum.StrEnum):
    """What we concluded from the refusal of a digest, mostly with "no such mailbox".

    REPORTED: a delivery report said so after the relay had accepted the email, and other reports may follow.
    UNJUDGED: not decided yet. GONE: we believe it, and the address is suppressed. WAIT: we do not believe it,
    and email the address as before. RELAY, DOMAIN: so many were refused that we ask the owner. ISSUE: the
    relay accepted no delivery of the issue, so we ask the owner. FINAL: the owner answered that the refusal
    is final, and nobody is suppressed.
    """

    REPORTED = "reported"
    UNJUDGED = "unjudged"
    GONE = "gone"
    WAIT = "wait"
    RELAY = "relay"
    DOMAIN = "domain"
    ISSUE = "issue"
    FINAL = "final"


class Lane(enum.StrEnum):
    """SINGLE emails (somebody waits for a confirmation) are sent before BULK ones (digests)."""

    SINGLE = "single"
    BULK = "bulk"


class Delivery(Base):
    """A digest (`issue_id`, `rendition_id`) or a single email (`template`, `context`).

    A single email stores a template's name and its context, never a token: the worker renders it and makes
    the links. `recipient` is set only for an email to somebody who is no subscriber, such as a test digest.
    """

    __tablename__ = "delivery"
    # An issue may write a million rows and change each three times, and every index costs that often. So
    # indexes for single emails hold single emails only.
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
        Index(
            "ix_delivery_correction_notice_id", "correction_notice_id", "state",
            sqlite_where=text("correction_notice_id IS NOT NULL"),
            postgresql_where=text("correction_notice_id IS NOT NULL"),
        ),
        Index(
            "ix_delivery_bounced", "issue_id",
            sqlite_where=text("bounced_at IS NOT NULL"), postgresql_where=text("bounced_at IS NOT NULL"),
        ),
        Index(
            "ix_delivery_complained", "issue_id",
            sqlite_where=text("complained_at IS NOT NULL"),
            postgresql_where=text("complained_at IS NOT NULL"),
        ),
        # The replies of a relay, and of a domain, in their order. outbox/refused/judge.py reads some hundred
        # rows of each.
        Index(
            "ix_delivery_relay_key", "relay_key", "answered_microseconds",
            sqlite_where=text("relay_key IS NOT NULL"), postgresql_where=text("relay_key IS NOT NULL"),
        ),
        Index(
            "ix_delivery_domain_key", "domain_key", "answered_microseconds",
            sqlite_where=text("domain_key IS NOT NULL"), postgresql_where=text("domain_key IS NOT NULL"),
        ),
        Index(
            "ix_delivery_only_relay", "only_relay", "state",
            sqlite_where=text("only_relay IS NOT NULL"), postgresql_where=text("only_relay IS NOT NULL"),
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
    # The newsletter that sends a single email; None means the first one. A digest has the newsletter of its
    # issue, and none here.
    newsletter_id: Mapped[int | None] = mapped_column(ForeignKey("newsletter.id"))
    recipient: Mapped[str | None] = mapped_column(String(320))
    purpose_key: Mapped[str | None] = mapped_column(String(80))
    template: Mapped[str | None] = mapped_column(String(40))
    # The correction notice that this email is. A foreign key would copy the whole table on SQLite.
    correction_notice_id: Mapped[int | None] = mapped_column(BigId)
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
    # When building its message last failed; None after a success. It says nothing about the recipient.
    build_failed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    bounced_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    complained_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Set for digests that a relay accepted or rejected: hashes of the relay and of the domain, and
    # the time of the reply. It is in microseconds since 1970. Rows are written in batches, in any order, so
    # only this time tells the order of the replies.
    relay_key: Mapped[int | None] = mapped_column(BigInteger)
    domain_key: Mapped[int | None] = mapped_column(BigInteger)
    answered_microseconds: Mapped[int | None] = mapped_column(BigInteger)
    # The only relay that may get this email: it may have it already, because its reply never came.
    only_relay: Mapped[int | None] = mapped_column(BigInteger)
    verdict: Mapped[BounceVerdict | None] = mapped_column(
        Enum(
            BounceVerdict, name="bounce_verdict", native_enum=False, create_constraint=False, length=12,
            values_callable=lambda members: [member.value for member in members],
        )
    )  # fmt: skip


def is_gone() -> ColumnElement[bool]:
    """Return the SQL condition for the verdict GONE: the mailbox does not exist, so nothing is sent again."""
    return and_(Delivery.verdict.is_not(None), Delivery.verdict == literal_column("'gone'"))


def of_newsletters(newsletters: Collection[int]) -> ColumnElement[bool]:
    """Return the SQL condition for single emails that one of these newsletters sends.

    The first newsletter sends those that belong to none.
    """
    theirs = Delivery.newsletter_id.in_(newsletters)
    return or_(theirs, Delivery.newsletter_id.is_(None)) if FIRST_NEWSLETTER in newsletters else theirs


def is_single() -> ColumnElement[bool]:
    """Return the SQL condition for the single lane, as a literal, so that its partial index is used."""
    return Delivery.lane == literal_column("'single'")
