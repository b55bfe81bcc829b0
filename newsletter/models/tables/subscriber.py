"""The people on the list, and the requests of those who want to be."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime, new_public_id


class Subscriber(Base):
    """One person. The row stays for the ledger when `email` and `email_key` are emptied.

    `erased_at`: the person was erased, and the details of their ledger went too. `emptied_at`: the
    address went because of its age, or because it was never confirmed; the ledger is complete.
    """

    __tablename__ = "subscriber"
    # Both are set for few, and looked for among a million.
    __table_args__ = (
        Index(
            "ix_subscriber_snoozed_until", "snoozed_until",
            sqlite_where=text("snoozed_until IS NOT NULL"),
            postgresql_where=text("snoozed_until IS NOT NULL"),
        ),
        Index(
            "ix_subscriber_moved_to", "moved_to",
            sqlite_where=text("moved_to IS NOT NULL"), postgresql_where=text("moved_to IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True, default=new_public_id)
    # As mailed, and as compared: see mail/addresses.py.
    email: Mapped[str | None] = mapped_column(String(320))
    email_key: Mapped[str | None] = mapped_column(String(320), unique=True)
    language: Mapped[str] = mapped_column(String(16), default="en")
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    # The hour of their day, 0 to 23, at which a reader wants their issues; None is when they go out.
    preferred_hour: Mapped[int | None]
    snoozed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # When the address was last changed: a mail from before may lie in somebody else's mailbox by now.
    address_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Whose row took this one's address and topics, when a change of address joined two rows of one person.
    moved_to: Mapped[int | None] = mapped_column(ForeignKey("subscriber.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    erased_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    emptied_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    @property
    def label(self) -> str:
        """The address, or why there is none: for lists and pages of the owner."""
        return self.email or why_no_address(erased=bool(self.erased_at), emptied=bool(self.emptied_at))


def why_no_address(*, erased: bool, emptied: bool) -> str:
    """Return in words why a person has no address.

    Rows that an earlier version joined with another one are neither erased nor emptied.
    """
    if erased:
        return "erased"
    return "address deleted" if emptied else "moved to another address"


class SignupRequest(Base):
    """What one POST of the sign-up form asked for: the only thing that POST writes.

    A job resolves it, so the answer is equal and equally quick for every address. What the
    defences hold back (subscribers/signup/hold.py) is looked at again from `held_until` on: requests
    of more `trust` first, then those whose network had sent fewer before them (`nth`).
    """

    __tablename__ = "signup_request"
    __table_args__ = (
        Index("ix_signup_request_resolved_at_held_until_id", "resolved_at", "held_until", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), default="signup")
    email: Mapped[str | None] = mapped_column(Text)
    email_key: Mapped[str | None] = mapped_column(String(320))
    choices: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    wording_version: Mapped[str] = mapped_column(String(32), default="")
    wording_hash: Mapped[str] = mapped_column(String(64), default="")
    ip_address: Mapped[str | None] = mapped_column(String(45))
    trust: Mapped[int] = mapped_column(default=0)
    nth: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    held_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class AddressChange(Base):
    """A reader's wish to be mailed at another address; it counts when the new address confirms it.

    Settling it (confirmed, replaced or too old) empties the address. `is_undo`: made when the address
    changed, so that whoever reads the old one can take it back.
    """

    __tablename__ = "address_change"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id"), index=True)
    email: Mapped[str | None] = mapped_column(String(320))
    email_key: Mapped[str | None] = mapped_column(String(320))
    ip_address: Mapped[str | None] = mapped_column(String(45))
    is_undo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
