"""Store a parsed release once, with the topics whose rules it matches, and give it sequences."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import NotFound
from newsletter.models import (
    HoldReason,
    Newsletter,
    Release,
    ReleaseRevision,
    ReleaseState,
    ReleaseTopic,
    Topic,
    TopicChoice,
    stays_of,
)
from newsletter.releases.decide import (
    Candidate,
    Markup,
    published_moment,
    to_html,
    wait_for,
)
from newsletter.releases.duplicates.find import lock_arrivals
from newsletter.releases.duplicates.judge import judge_arrival
from newsletter.releases.from_sources.keys import take_keys
from newsletter.releases.holds import hold, is_mailable, make_ready, renew_sequences
from newsletter.releases.topics.manage import list_topics, rule_set_of


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
    @property
    def markup(self) -> Markup: ...
    @property
    def doubts(self) -> tuple[str, ...]: ...
    # The moment of publication in UTC, if a time is known.
    @property
    def published_at(self) -> datetime | None: ...
    # Clean HTML, or "" to make it from the paragraphs and their markup.
    @property
    def body_html(self) -> str: ...
    @property
    def canonical_url(self) -> str | None: ...
    # The categories that its source gave it.
    @property
    def tags(self) -> tuple[str, ...]: ...
    # Its lead image, which is stored already, and what that shows.
    @property
    def image_hash(self) -> str | None: ...
    @property
    def image_alt(self) -> str: ...


def _holds_nothing(_release: Release) -> None:
    """Hold a release for no further reason."""


@dataclass(frozen=True)
class Arriving:
    """What a source adds to a release: keys, its own content hash, holds, and whether it is kept back.

    `source` is the public id of the source. `source_id` is its id, if it tells its own items apart.
    """

    keys: tuple[str, ...]
    content_hash: str
    source: str = ""
    is_kept_back: bool = False
    hold_back: Callable[[Release], None] = _holds_nothing
    source_id: int | None = None


def add_release(
    session: Session,
    press: ParsedRelease,
    *,
    now: datetime,
    topics: Collection[str] = (),
    state: ReleaseState = ReleaseState.READY,
    arriving: Arriving | None = None,
) -> tuple[Release, bool]:
    """Store a release; return it, and whether it is new. A duplicate with the same text is stored once.

    A near-duplicate is stored too, and may be merged or held at once (duplicates/judge.py).

    A new release gets the topics whose rules match, and the topics with a slug in `topics`. A duplicate only
    gets the topics in `topics`. A release with a doubtful field is held, and one with a date in the future is
    held until that date. Raises NotFound for a slug that does not exist. Commits nothing: the caller commits
    at once, because taking sequences is the last write before a commit (models/tables/release.py).
    """
    lock_arrivals(session)
    source = (arriving.source,) if arriving and arriving.source else ()
    candidate = Candidate(press.title, press.publisher, press.body, press.language, press.tags, source)
    content_hash = arriving.content_hash if arriving else candidate.content_hash
    known = find_by_hash(session, content_hash)
    if known is not None:
        known = session.get_one(Release, stays_of(session, known.id))
        _name_topics(session, known, topics)
        return known, False
    zone = first_zone(session)
    release = Release(
        title=press.title,
        publisher=press.publisher[:300],
        published_at=press.published_at or published_moment(press.published, now),
        published_on=press.published or now.astimezone(zone).date(),
        language=press.language,
        body_html=press.body_html or to_html(press.paragraphs, press.markup),
        body_text=press.body,
        summary=press.summary,
        canonical_url=press.canonical_url,
        tags=list(press.tags) or None,
        image_hash=press.image_hash,
        image_alt=press.image_alt if press.image_hash else "",
        content_hash=content_hash,
        state=state,
        created_at=now,
        is_kept_back=arriving is not None and arriving.is_kept_back,
    )
    release.topic_links = [ReleaseTopic(topic_id=each.id) for each in _topics_of(session, candidate, topics)]
    session.add(release)
    if state is ReleaseState.HELD:
        hold(release, HoldReason.EDITOR, "added as held", now)
    hold_for_date(session, release, press.doubts, press.published, now)
    if arriving is not None:
        arriving.hold_back(release)
    session.flush()
    if arriving is not None:
        take_keys(session, release.id, arriving.keys)
    if all(each.reason is not HoldReason.SETTLING for each in release.holds):
        judge_arrival(session, release, now, source_id=arriving.source_id if arriving else None)
    if release.state is ReleaseState.READY:
        make_ready(session, release, now)
    return release, True


def hold_for_date(
    session: Session, release: Release, doubts: Sequence[str], published: date | None, now: datetime
) -> None:
    """Hold a release for its doubtful fields, and until its date if that is in the future."""
    zone = first_zone(session)
    wait = wait_for(doubts, published, now.astimezone(zone).date())
    if wait.doubts:
        hold(release, HoldReason.DOUBT, "parser", now, fields=wait.doubts)
    if wait.until is not None:
        midnight = datetime.combine(wait.until, time(), zone)
        hold(release, HoldReason.DATE, "parser", now, until=midnight.astimezone(UTC))


def match_topics(
    session: Session, release: Release, candidate: Candidate, before: Candidate | None = None
) -> list[ReleaseTopic]:
    """Add the topics whose rules match a corrected release; return the new pairs, without sequences.

    A topic that a person took off stays off. If the rules of a topic match the text `before` too, they were
    changed since the release was stored. So the topic is not added.
    """
    had = {link.topic_id for link in release.topic_links}
    had.update(session.scalars(select(TopicChoice.topic_id).where(TopicChoice.release_id == release.id)))
    found = _topics_of(session, candidate, ())
    if before is not None:
        had.update(each.id for each in _topics_of(session, before, ()))
    added = [ReleaseTopic(topic_id=each.id) for each in found if each.id not in had]
    release.topic_links.extend(added)
    return added


def find_by_hash(session: Session, content_hash: str, *, but: int | None = None) -> Release | None:
    """Return the release that has a text with this hash, or had it before a correction.

    `but` is the id of a release that does not count.
    """
    for mine, column in (
        (Release.id, Release.content_hash),
        (ReleaseRevision.release_id, ReleaseRevision.content_hash),
    ):
        query = select(mine).where(column == content_hash)
        found = session.scalars((query if but is None else query.where(mine != but)).limit(1)).first()
        if found is not None:
            return session.get_one(Release, found)
    return None


def first_zone(session: Session) -> ZoneInfo:
    """Return the time zone of the first newsletter: it says which day is today."""
    first = select(Newsletter.time_zone).order_by(Newsletter.position, Newsletter.id).limit(1)
    return ZoneInfo(session.scalar(first) or "UTC")


def today_of(session: Session, now: datetime) -> date:
    """Return the day that it is in the first newsletter's time zone."""
    return now.astimezone(first_zone(session)).date()


def _name_topics(session: Session, release: Release, slugs: Collection[str]) -> None:
    """Add topics to a stored release. Their subscribers get it, unless they have had it."""
    had = {link.topic_id for link in release.topic_links}
    mailable = is_mailable(release)
    chosen = [topic for topic in _known_topics(session, slugs) if topic.slug in slugs]
    added = [ReleaseTopic(topic_id=topic.id) for topic in chosen if topic.id not in had]
    for link in added:
        choice = session.get(TopicChoice, (release.id, link.topic_id))
        if choice is not None:
            # The topic was taken off, and is named again. The pair keeps its first sequence.
            choice.is_taken_off, link.first_sequence = False, choice.first_sequence
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
    return [topic for topic in known if topic.slug in slugs or rule_set_of(topic).matches(candidate)]
