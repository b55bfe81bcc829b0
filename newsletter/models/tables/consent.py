"""The consent ledger: an append-only table of what each person agreed to, changed and ended."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.append_only import keep_append_only
from newsletter.models.base import Base, BigId, UTCDateTime, choice


class ConsentAct(enum.StrEnum):
    """What a person did, or what became of their request.

    DISOWNED: the person at this address said that they did not sign up. EXPIRED: nobody confirmed in time.
    MOVED: changed to another address. REASONED: said afterwards why they unsubscribed.
    """

    ASKED = "asked"
    CONFIRMED = "confirmed"
    CHANGED = "changed"
    LEFT = "left"
    RETURNED = "returned"
    DISOWNED = "disowned"
    EXPIRED = "expired"
    MOVED = "moved"
    SNOOZED = "snoozed"
    RESUMED = "resumed"
    REASONED = "reasoned"
    ERASED = "erased"


class ConsentEntry(Base):
    """Who did what, when and how, and the exact wording they saw (by version and hash).

    `digest` is SHA-256 over this entry and the `digest` of the same person's previous entry
    (subscribers/consent/chain.py). It leaves out the IP address, which may be deleted later. It covers
    `detail_digest` instead of `detail`. Older entries have no `detail_digest`, and their `digest` covers
    `detail` itself.
    """

    __tablename__ = "consent_entry"
    # Few people say why they unsubscribed. This index counts them without reading the whole ledger.
    __table_args__ = (
        Index(
            "ix_consent_entry_reasoned", "at",
            sqlite_where=text("act = 'reasoned'"), postgresql_where=text("act = 'reasoned'"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id"), index=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    act: Mapped[ConsentAct] = mapped_column(choice(ConsentAct, "consent_act"))
    how: Mapped[str] = mapped_column(String(32))
    wording_version: Mapped[str] = mapped_column(String(32), default="")
    wording_hash: Mapped[str] = mapped_column(String(64), default="")
    ip_address: Mapped[str | None] = mapped_column(String(45))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    digest: Mapped[str] = mapped_column(String(64), default="")
    detail_digest: Mapped[str | None] = mapped_column(String(64))


# The only changes allowed: the IP address is emptied (by erasure or by age), and the details of an erased
# person are emptied.
_FIXED = (
    "id", "subscriber_id", "at", "act", "how", "wording_version", "wording_hash", "digest", "detail_digest",
)  # fmt: skip
_ERASED = "EXISTS (SELECT 1 FROM subscriber WHERE id = OLD.subscriber_id AND erased_at IS NOT NULL)"


def _allowed(same: str, cast_text: str) -> str:
    return " AND ".join(
        (
            *(f"NEW.{column} {same} OLD.{column}" for column in _FIXED),
            f"(NEW.ip_address IS NULL OR NEW.ip_address {same} OLD.ip_address)",
            (
                f"(NEW.detail{cast_text} {same} OLD.detail{cast_text} "
                f"OR (NEW.detail{cast_text} = '{{}}' AND {_ERASED}))"
            ),
        )
    )


keep_append_only(
    ConsentEntry,
    {"sqlite": _allowed("IS", ""), "postgresql": _allowed("IS NOT DISTINCT FROM", "::text")},
)
