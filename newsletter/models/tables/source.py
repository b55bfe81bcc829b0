"""Tables of sources: where releases come from, the items that each one listed, and the history of fetches."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Enum, ForeignKey, Index, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from newsletter.models.base import Base, BigId, UTCDateTime, choice, new_public_id
from newsletter.models.tables.release import Release


class SourceKind(enum.StrEnum):
    """FEED is RSS, Atom, RDF or JSON Feed. PAGE is a page with links. FOLDER is a folder of files."""

    FEED = "feed"
    PAGE = "page"
    FOLDER = "folder"


class FullText(enum.StrEnum):
    """Whether a feed's items get their texts from their pages. AUTO: if the feed has only a teaser."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class SourceState(enum.StrEnum):
    """ACTIVE is polled. PAUSED waits for a person. ENDED answered that it is gone for good (410)."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class FetchOutcome(enum.StrEnum):
    """The result of a fetch.

    READ: the document was read. UNCHANGED: it is as it was at the last fetch. FAILED: there was no usable
    answer. REFUSED: the guard or a limit refused it. UNREADABLE: it is no feed. WAIT: the server asked us to
    come later. GONE: it answered 410.
    """

    READ = "read"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    WAIT = "wait"
    GONE = "gone"


class Source(Base):
    """A place that releases come from. `url` is a URL, or the path of a folder.

    `backlog` says which items of the first fetch are emailed: none, all, the last three (`3`), or those of
    the last seven days (`7d`). `lists` counts the fetches whose document was read. A source whose lease has
    expired is due again.
    """

    __tablename__ = "source"
    __table_args__ = (
        Index(
            "ix_source_next_at", "next_at",
            sqlite_where=text("state = 'active'"), postgresql_where=text("state = 'active'"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True, default=new_public_id)
    kind: Mapped[SourceKind] = mapped_column(choice(SourceKind, "source_kind"))
    url: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(String(300), default="")
    site_url: Mapped[str] = mapped_column(Text, default="")
    # The publisher of every release of this source. If empty, the feed says it.
    publisher: Mapped[str] = mapped_column(String(300), default="")
    state: Mapped[SourceState] = mapped_column(
        choice(SourceState, "source_state"), default=SourceState.ACTIVE
    )
    # Why it is paused or ended, for people.
    state_reason: Mapped[str] = mapped_column(Text, default="")
    interval_minutes: Mapped[int] = mapped_column(default=15)
    settle_minutes: Mapped[int] = mapped_column(default=10)
    # Whether its releases wait until an editor approves them.
    needs_approval: Mapped[bool] = mapped_column(default=False, server_default=false())
    backlog: Mapped[str] = mapped_column(String(8), default="none")
    full_text: Mapped[FullText] = mapped_column(
        Enum(
            FullText, native_enum=False, length=24, values_callable=lambda each: [one.value for one in each]
        ),
        default=FullText.AUTO,
        server_default=FullText.NEVER.value,
    )
    # How the releases on a page are found if our rules fail: a CSS selector, a URL with asterisks, or both.
    link_selector: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    link_pattern: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    etag: Mapped[str] = mapped_column(Text, default="")
    last_modified: Mapped[str] = mapped_column(String(80), default="")
    body_hash: Mapped[str] = mapped_column(String(64), default="")
    lists: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime] = mapped_column(UTCDateTime)
    leased_by: Mapped[str | None] = mapped_column(String(40))
    leased_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Its last fetch took long. Few of these are fetched at the same time.
    is_slow: Mapped[bool] = mapped_column(default=False)
    last_read_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # When every item of the first fetch was stored. Until then, items are the backlog.
    backlog_done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class SourceItem(Base):
    """An item that a source listed, and its release. `key` is a hash of its guid, its URL or its text.

    `last_list` is the number of the newest fetch that had the item (`Source.lists`). `misses` counts the
    later ones that had most of its neighbours, and not the item. `same_since` is when its present text was
    first seen. `text_hash` is the hash of that text, `stored_hash` that of the text in the release.
    """

    __tablename__ = "source_item"
    __table_args__ = (
        UniqueConstraint("source_id", "key"),
        Index("ix_source_item_source_id_last_list", "source_id", "last_list"),
        Index("ix_source_item_source_id_text_hash", "source_id", "text_hash"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"))
    release_id: Mapped[int] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"), index=True)
    key: Mapped[str] = mapped_column(String(64))
    url: Mapped[str] = mapped_column(Text, default="")
    text_hash: Mapped[str] = mapped_column(String(64))
    stored_hash: Mapped[str] = mapped_column(String(64))
    first_seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    same_since: Mapped[datetime] = mapped_column(UTCDateTime)
    # The address of its image as it was listed last. None: it came before this service took images.
    image_url: Mapped[str | None] = mapped_column(Text)
    last_list: Mapped[int]
    misses: Mapped[int] = mapped_column(default=0)

    source: Mapped[Source] = relationship()
    release: Mapped[Release] = relationship()


class SourcePage(Base):
    """The page of an item, as it was read last. `key` is that of the item, also before the item is stored.

    `listed_hash` is a hash of what the list said about the item then. `misses` counts the answers 404 and 410
    in a row. `item` has what was read, or is None.
    """

    __tablename__ = "source_page"
    __table_args__ = (UniqueConstraint("source_id", "key"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(64))
    url: Mapped[str] = mapped_column(Text)
    listed_hash: Mapped[str] = mapped_column(String(64))
    etag: Mapped[str] = mapped_column(Text, default="")
    last_modified: Mapped[str] = mapped_column(String(80), default="")
    body_hash: Mapped[str] = mapped_column(String(64), default="")
    item: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    misses: Mapped[int] = mapped_column(default=0)
    first_at: Mapped[datetime] = mapped_column(UTCDateTime)
    read_at: Mapped[datetime] = mapped_column(UTCDateTime)


class SourceFetch(Base):
    """One entry of a source's history. Equal fetches in a row share one entry, with their number."""

    __tablename__ = "source_fetch"
    __table_args__ = (Index("ix_source_fetch_source_id_id", "source_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"))
    outcome: Mapped[FetchOutcome] = mapped_column(choice(FetchOutcome, "fetch_outcome"))
    status: Mapped[int | None]
    first_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_at: Mapped[datetime] = mapped_column(UTCDateTime)
    count: Mapped[int] = mapped_column(default=1)
    milliseconds: Mapped[int] = mapped_column(default=0)
    items: Mapped[int] = mapped_column(default=0)
    added: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    message: Mapped[str] = mapped_column(Text, default="")
