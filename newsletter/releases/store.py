"""Store a parsed release once, with the topics whose rules it matches, and give it sequences."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import NotFound
from newsletter.models import Release, ReleaseState, ReleaseTopic, Topic, take_sequences
from newsletter.releases.decide import Candidate, Rule, matches, published_moment, to_html
from newsletter.releases.topics import list_topics


class ParsedRelease(Protocol):
    """The fields that storing needs. `ingest.press.parse.PressRelease` has them."""

    @property
    def title(self) -> str: ...
    @property
    def publisher(self) -> str: ...
    @property
    def published(self) -> date | None: ...
    @property
    def language(self) -> str: ...
    @property
    def paragraphs(self) -> tuple[str, ...]: ...
    @property
    def body(self) -> str: ...
    @property
    def summary(self) -> str: ...


def add_release(
    session: Session,
    press: ParsedRelease,
    *,
    now: datetime,
    topics: Collection[str] = (),
    state: ReleaseState = ReleaseState.READY,
) -> tuple[Release, bool]:
    """Store a release; return it, and whether it is new. A duplicate with the same text is stored once.

    A new release gets the topics whose rules match, and the topics with a slug in `topics`. A duplicate only
    gets the topics in `topics`. Raises NotFound for a slug that does not exist. Commits nothing: the caller
    commits at once, because taking sequences is the last write before a commit (models/tables/release.py).
    """
    candidate = Candidate(press.title, press.publisher, press.body)
    known = session.scalar(select(Release).where(Release.content_hash == candidate.content_hash))
    if known is not None:
        _name_topics(session, known, topics)
        return known, False
    release = Release(
        title=press.title,
        publisher=press.publisher[:300],
        published_at=published_moment(press.published, now),
        language=press.language,
        body_html=to_html(press.paragraphs),
        body_text=press.body,
        summary=press.summary,
        content_hash=candidate.content_hash,
        state=state,
        created_at=now,
    )
    release.topic_links = [ReleaseTopic(topic_id=each.id) for each in _topics_of(session, candidate, topics)]
    session.add(release)
    if state is ReleaseState.READY:
        renew_sequences(session, release.topic_links)
    return release, True


def renew_sequences(session: Session, links: Sequence[ReleaseTopic]) -> None:
    """Give each of these pairs a new sequence, so that the next issue includes the release.

    This is the last write before the commit, because it locks the counter until then. Commits nothing.
    """
    if not links:
        return
    session.flush()
    first = take_sequences(session, len(links))
    for at, link in enumerate(links):
        link.sequence = first + at
        link.first_sequence = link.first_sequence or link.sequence
    session.flush()


def _name_topics(session: Session, release: Release, slugs: Collection[str]) -> None:
    """Add topics to a stored release. Their subscribers get it, unless they have had it."""
    had = {link.topic_id for link in release.topic_links}
    # If the release was ever ready, the new pairs need sequences too. When a held release becomes ready
    # again, only the pairs that have a sequence get a new one.
    mailable = release.state is ReleaseState.READY or any(link.sequence for link in release.topic_links)
    chosen = [topic for topic in _known_topics(session, slugs) if topic.slug in slugs]
    added = [ReleaseTopic(topic_id=topic.id) for topic in chosen if topic.id not in had]
    release.topic_links.extend(added)
    if mailable:
        renew_sequences(session, added)


def _known_topics(session: Session, slugs: Collection[str]) -> Sequence[Topic]:
    known = list_topics(session)
    missing = set(slugs) - {topic.slug for topic in known}
    if missing:
        raise NotFound(f"there is no topic {', '.join(sorted(missing))}")
    return known


def _topics_of(session: Session, candidate: Candidate, slugs: Collection[str]) -> list[Topic]:
    known = _known_topics(session, slugs)
    return [
        topic
        for topic in known
        if topic.slug in slugs
        or matches(candidate, topic.rule_match, [Rule(each.field, each.pattern) for each in topic.rules])
    ]
