"""Rules for whole domains and for patterns of addresses: never accepted, never emailed, or allowed."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime, choice


class RuleKind(enum.StrEnum):
    """What a rule does.

    NEVER_ACCEPTED: nobody can sign up with such an address or change to it; present subscribers stay.
    NEVER_MAILED: that too, and no email is sent. ALLOWED: sign-up takes it although its domain is disposable.
    """

    NEVER_ACCEPTED = "never_accepted"
    NEVER_MAILED = "never_mailed"
    ALLOWED = "allowed"


class AddressRule(Base):
    """One rule. `host` is a domain, `*.domain` for its subdomains, or `*` for every domain.

    `local` is `*`, or the part before the @ in which `*` stands for any characters.
    """

    __tablename__ = "address_rule"
    __table_args__ = (UniqueConstraint("host", "local"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    local: Mapped[str] = mapped_column(String(64), default="*")
    kind: Mapped[RuleKind] = mapped_column(choice(RuleKind, "rule_kind"))
    note: Mapped[str] = mapped_column(String(200), default="")
    since: Mapped[datetime] = mapped_column(UTCDateTime)


class StoppedSubscriber(Base):
    """A subscriber whom a rule stops, so that no issue is prepared for them.

    The rows are made with the rule. Later nobody can join with such an address. The claim compares addresses.
    """

    __tablename__ = "stopped_subscriber"

    rule_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("address_rule.id"), primary_key=True, autoincrement=False
    )
    subscriber_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("subscriber.id"), primary_key=True, autoincrement=False, index=True
    )
