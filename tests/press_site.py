"""A press site on loopback with a feed whose items a test changes, and an installation that polls it."""

from __future__ import annotations

import atexit
import itertools
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import format_datetime
from functools import cache
from html import escape

from house import House
from servers.web import Asked, WebServer, answer
from sqlalchemy import select

from newsletter.ingest.guard import Allowed
from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.ingest.retrieve import Limits, Retriever
from newsletter.ingest.sources.manage import add_source
from newsletter.models import FullText, Release, Source, SourceFetch, SourceItem
from newsletter.service.polling.poll_sources import Poller, Tally

HERE = Allowed.of(["127.0.0.0/8"])
_NAMES = itertools.count(1)


@dataclass(frozen=True)
class News:
    """One item of the feed."""

    title: str
    guid: str = ""
    text: str = "The harbour opens its new quay, and all ferries use it."
    link: str = ""
    date: datetime | None = None

    def rss(self) -> str:
        """Return the item as RSS."""
        parts = [f"<title>{escape(self.title)}</title><description>{escape(self.text)}</description>"]
        if self.guid:
            parts.append(f'<guid isPermaLink="false">{escape(self.guid)}</guid>')
        if self.link:
            parts.append(f"<link>{escape(self.link)}</link>")
        if self.date:
            parts.append(f"<pubDate>{format_datetime(self.date)}</pubDate>")
        return f"<item>{''.join(parts)}</item>"


@dataclass
class Site:
    """A feed at `path` of a server; it answers If-None-Match."""

    server: WebServer
    items: list[News] = field(default_factory=list)
    path: str = field(default_factory=lambda: f"/feed-{next(_NAMES)}")
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server.answers[self.path] = self.serve

    @property
    def url(self) -> str:
        """The feed's URL."""
        return self.server.url(self.path)

    def show(self, *items: News) -> None:
        """Let the feed list these items, the newest first."""
        self.items = list(items)

    def serve(self, asked: Asked) -> bytes:
        """Answer a request."""
        body = (
            f'<rss version="2.0"><channel><title>Press {self.path}</title><link>https://press.example/</link>'
            f"{''.join(each.rss() for each in self.items)}</channel></rss>"
        ).encode()
        mark = f'"{hash(body)}"'
        if asked.headers.get("if-none-match") == mark:
            return answer(b"", 304, {"ETag": mark, **self.headers}, length=False)
        return answer(body, 200, {"Content-Type": "application/rss+xml", "ETag": mark, **self.headers})


@dataclass
class Desk:
    """An installation whose sources are on loopback."""

    house: House
    poller: Poller

    def add(self, site: Site | str, **given: object) -> str:
        """Add a source; return its public id."""
        url = site if isinstance(site, str) else site.url
        with self.house.runtime.session() as session:
            source = add_source(
                session,
                url,
                allowed=HERE,
                actor="desk",
                now=self.house.clock(),
                **{"backlog": "all", "full_text": FullText.NEVER, **given},
            )
            session.commit()
            return source.public_id

    def poll(self, source: str | None = None, **given: object) -> Tally:
        """Poll what is due, or one source."""
        return self.poller.round(lambda: False, only=source, **given)

    def source(self, public_id: str) -> Source:
        """Return a source's row."""
        with self.house.runtime.reading() as session:
            return session.scalars(select(Source).where(Source.public_id == public_id)).one()

    def history(self, public_id: str) -> list[SourceFetch]:
        """Return a source's history, the oldest entry first."""
        with self.house.runtime.reading() as session:
            query = select(SourceFetch).join(Source, Source.id == SourceFetch.source_id)
            return list(session.scalars(query.where(Source.public_id == public_id).order_by(SourceFetch.id)))

    def releases(self) -> dict[str, str]:
        """Return the state of each release by its title, with the reasons of its holds."""
        with self.house.runtime.reading() as session:
            found = session.scalars(select(Release).order_by(Release.id)).all()
            return {each.title: " ".join([each.state, *(why.reason for why in each.holds)]) for each in found}

    def release(self, title: str) -> Release:
        """Return the release with a title, with its topics."""
        with self.house.runtime.reading() as session:
            found = session.scalars(select(Release).where(Release.title == title)).one()
            assert found.topic_links is not None
            return found

    def items(self) -> list[SourceItem]:
        """Return the items of all sources."""
        with self.house.runtime.reading() as session:
            return list(session.scalars(select(SourceItem).order_by(SourceItem.id)))


def desk_of(house: House, limits: Limits | None = None) -> Desk:
    """Return the desk of an installation."""
    retriever = Retriever("newsletter test", HERE, limits or Limits())
    return Desk(house, Poller(house.runtime, shared_reader(), retriever))


@cache
def shared_reader() -> IsolatedReader:
    """Return the document process of all tests here. To start it takes longer than most tests."""
    made = IsolatedReader(seconds=5)
    atexit.register(made.close)
    return made


def with_settings(house: House, **given: object) -> House:
    """Return the same installation with other settings."""
    settings = replace(house.runtime.settings, **given)  # type: ignore[arg-type]
    return replace(house, runtime=replace(house.runtime, settings=settings))
