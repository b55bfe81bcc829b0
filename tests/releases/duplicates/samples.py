"""Releases for tests of duplicates."""

from __future__ import annotations

from datetime import timedelta

from house import NOON, House
from ingest.sources.samples import make_sample

from newsletter.ingest.feeds.feed import Item
from newsletter.models import Release, ReleaseState, Source, SourceItem, SourceKind
from newsletter.releases.from_sources.arrive import Arrival, store_arrival

TEXT = (
    "The harbour of Halmstrand will get a third quay for container ships, the regional council decided on "
    "Tuesday after a long debate. Building begins in the autumn and will take a little more than two years."
    "\n\nThe council expects that the new quay brings work to 140 people. Fishermen asked for a place of "
    "their own, and they will get one at the northern end. The road along the water stays open to everybody."
)


def press(text: str = TEXT, **more: object) -> Item:
    """Return a release; its title and text have the word quay."""
    given = {"title": "Halmstrand gets a third quay", "published": NOON.date(), **more}
    paragraphs = tuple(text.split("\n\n"))
    html = "".join(f"<p>{each}</p>" for each in paragraphs)
    return make_sample("quay", paragraphs=paragraphs, body_html=html, **given)


def arrive(house: House, item: Item, *, source: int | None = None, **more: object) -> int:
    """Let a source bring a release; return its id."""
    with house.runtime.session() as session:
        key = f"{item.text_hash} {source}"
        release, _ = store_arrival(
            session, Arrival(item, (key[:64],), source_id=source, **more), house.clock()
        )
        if source is not None:
            session.add(
                SourceItem(
                    source_id=source, release_id=release.id, key=str(release.id),
                    text_hash="", stored_hash="", url=f"https://press.example.org/{release.id}",
                    first_seen_at=house.clock(), same_since=house.clock(), last_list=1,
                )
            )  # fmt: skip
        release_id = release.id
        session.commit()
    return release_id


def add_source(house: House, name: str = "press") -> int:
    with house.runtime.session() as session:
        made = Source(
            kind=SourceKind.FEED, url=f"https://{name}.example.org/feed", name=name.title(),
            next_at=house.clock() + timedelta(days=1), created_at=house.clock(),
        )  # fmt: skip
        session.add(made)
        session.flush()
        source_id = made.id
        session.commit()
    return source_id


def state(house: House, release: int) -> ReleaseState:
    with house.runtime.reading() as session:
        return session.get_one(Release, release).state


def topics(house: House, release: int) -> dict[str, int | None]:
    """Return the topics of a release and their sequences."""
    with house.runtime.reading() as session:
        found = session.get_one(Release, release)
        return {link.topic.slug: link.sequence for link in found.topic_links}
