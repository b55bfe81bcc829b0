"""Tables of duplicates: the fingerprints of releases, pairs that may be the same, and merges."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import BigInteger, Enum, ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime, choice
from newsletter.models.tables.release import ReleaseState


class PairState(enum.StrEnum):
    """SUGGESTED waits for an editor. MERGED: one was merged into the other. LINKED: both were sent, and the
    archive links them. DIFFERENT: an editor says that they are two releases, and it is not suggested again.
    """

    SUGGESTED = "suggested"
    MERGED = "merged"
    LINKED = "linked"
    DIFFERENT = "different"


class ReleaseBand(Base):
    """A part of the fingerprint of a release's text. Releases with a band in common may be duplicates.

    `day` is the ordinal of the release's date, so that only releases of the same days are read.
    """

    __tablename__ = "release_band"
    __table_args__ = (Index("ix_release_band_release_id", "release_id"),)

    band: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    release_id: Mapped[int] = mapped_column(
        ForeignKey("release.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )


class ReleasePair(Base):
    """Two releases that may be the same. The one with the lower id is the earlier one.

    `differs` says what a comparison found, with commas between; "" if the texts agree.
    """

    __tablename__ = "release_pair"
    __table_args__ = (
        Index("ix_release_pair_later_id", "later_id"),
        Index("ix_release_pair_state", "state", "later_id"),
    )

    earlier_id: Mapped[int] = mapped_column(
        ForeignKey("release.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    later_id: Mapped[int] = mapped_column(
        ForeignKey("release.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    state: Mapped[PairState] = mapped_column(choice(PairState, "pair_state"))
    differs: Mapped[str] = mapped_column(String(120), default="")
    found_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # Who decided: "duplicates" if the program did, "" if nobody has.
    decided_by: Mapped[str] = mapped_column(String(320), default="")
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class ReleaseMerge(Base):
    """A release that was merged: it is excluded, and its address leads to the one that stays.

    `into_id` is the release that it was merged into. `stays_id` is the one that stays, if that was merged
    too. `added_topics` has the ids of topics that the merge added, with commas between.
    """

    __tablename__ = "release_merge"
    __table_args__ = (Index("ix_release_merge_stays_id", "stays_id"),)

    release_id: Mapped[int] = mapped_column(
        ForeignKey("release.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    into_id: Mapped[int] = mapped_column(BigId, ForeignKey("release.id", ondelete="CASCADE"))
    stays_id: Mapped[int] = mapped_column(BigId, ForeignKey("release.id", ondelete="CASCADE"))
    # What the release was before.
    was: Mapped[ReleaseState] = mapped_column(
        Enum(
            ReleaseState, name="merged_from", native_enum=False, create_constraint=False, length=24,
            values_callable=lambda members: [member.value for member in members],
        )
    )  # fmt: skip
    added_topics: Mapped[str] = mapped_column(String(400), default="")
    merged_by: Mapped[str] = mapped_column(String(320))
    merged_at: Mapped[datetime] = mapped_column(UTCDateTime)


def stays_of(session: Session, release_id: int) -> int:
    """Return the id of the release that a release was merged into in the end, or its own."""
    chosen = select(ReleaseMerge.stays_id).where(ReleaseMerge.release_id == release_id)
    return session.scalar(chosen) or release_id
