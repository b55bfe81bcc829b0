"""Tables of subscribers, sign-up requests and requests to change an address."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime, new_public_id, newsletter_column

# For this long after a change of address, a worker may still send to the old address that it has read.
ON_ITS_WAY = timedelta(minutes=10)


class Subscriber(Base):
    """One person. The row stays for the consent ledger when `email` and `email_key` are emptied.

    `erased_at`: the person was erased, and the details of their ledger entries too. `emptied_at`: the address
    was deleted because of its age, or because it was never confirmed; the ledger entries are complete.
    """

    __tablename__ = "subscriber"
    # Few subscribers have these values, so partial indexes find them among a million.
    __table_args__ = (
        Index(
            "ix_subscriber_snoozed_until", "snoozed_until",
            sqlite_where=text("snoozed_until IS NOT NULL"),
            postgresql_where=text("snoozed_until IS NOT NULL"),
        ),
        Index(
            "ix_subscriber_time_zone_preferred_hour", "time_zone", "preferred_hour",
            sqlite_where=text("preferred_hour IS NOT NULL"),
            postgresql_where=text("preferred_hour IS NOT NULL"),
        ),
        Index(
            "ix_subscriber_moved_to", "moved_to",
            sqlite_where=text("moved_to IS NOT NULL"), postgresql_where=text("moved_to IS NOT NULL"),
        ),
        Index(
            "ix_subscriber_clicks_agreed", "id",
            sqlite_where=text("clicks_agreed_at IS NOT NULL"),
            postgresql_where=text("clicks_agreed_at IS NOT NULL"),
        ),
        Index(
            "ix_subscriber_id_release_languages", "id", "release_languages",
            sqlite_where=text("release_languages IS NOT NULL"),
            postgresql_where=text("release_languages IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True, default=new_public_id)
    # The address as we send to it, and its canonical form for comparing (mail/addresses.py).
    email: Mapped[str | None] = mapped_column(String(320))
    email_key: Mapped[str | None] = mapped_column(String(320), unique=True)
    language: Mapped[str] = mapped_column(String(16), default="en")
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    # The hour of the day, 0 to 23, at which the subscriber wants issues; None: the newsletter's hour.
    preferred_hour: Mapped[int | None]
    # The languages in which they want releases (models/release_languages.py); None: all languages.
    release_languages: Mapped[str | None] = mapped_column(String(255))
    # When they agreed that the links of their issues are counted; None: they did not.
    clicks_agreed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    snoozed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # When the address last changed. Earlier emails went to a mailbox that may belong to somebody else now.
    address_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # The row that got this one's address and topics, when a change of address merged two rows of one person.
    moved_to: Mapped[int | None] = mapped_column(ForeignKey("subscriber.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    erased_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    emptied_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    @property
    def label(self) -> str:
        """The address, or the reason why there is none, for admin pages."""
        return self.email or why_no_address(erased=bool(self.erased_at), emptied=bool(self.emptied_at))


def went_to_present_address(address_since: datetime | None, made_at: datetime) -> bool:
    """Return whether an email made at `made_at` went to the subscriber's present address, not an earlier one.

    `address_since` is when they changed to it; None if they never changed.
    """
    return address_since is None or made_at >= address_since + ON_ITS_WAY


def why_no_address(*, erased: bool, emptied: bool) -> str:
    """Return in words why a subscriber has no address.

    Rows that an earlier version merged into another one are neither erased nor emptied.
    """
    if erased:
        return "erased"
    return "address deleted" if emptied else "moved to another address"


class SignupRequest(Base):
    """A request from the sign-up form. It is the only row that the POST writes.

    A job resolves it, so that the response and its time are the same for every address. Requests that the
    defences hold back (subscribers/signup/hold.py) are decided again after `held_until`. Those with more
    `trust` come first, then those whose network had sent fewer requests before (`nth`).
    """

    __tablename__ = "signup_request"
    __table_args__ = (
        Index("ix_signup_request_resolved_at_held_until_id", "resolved_at", "held_until", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    newsletter_id: Mapped[int] = newsletter_column()
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
    """A subscriber's request to change their address. It takes effect when the new address confirms it.

    When it is settled (confirmed, replaced or expired), the stored address is emptied. `is_undo`: made when
    the address changed, so that the owner of the old address can undo the change.
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
