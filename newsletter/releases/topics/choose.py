"""Let a person put a release under topics and take topics off it. Rules do not change such a choice."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import NotFound
from newsletter.models import Release, ReleaseTopic, Topic, TopicChoice
from newsletter.releases.holds import is_mailable, renew_sequences


def choose_topics(
    session: Session, release: Release, slugs: Collection[str], actor: str, now: datetime
) -> bool:
    """Give a release, which is locked, exactly these topics; return whether any changed.

    Deliveries that are not leased lose the release under a topic that is taken off. It moves to another topic
    of the subscriber that it still has, or is put back. A topic that is added again keeps its first sequence.
    Raises NotFound for a slug that does not exist. Commit at once: taking sequences is the last write.
    """
    known = {topic.slug: topic.id for topic in session.scalars(select(Topic))}
    missing = set(slugs) - known.keys()
    if missing:
        raise NotFound(f"there is no topic {', '.join(sorted(missing))}")
    wanted = {known[slug] for slug in slugs}
    has = {link.topic_id: link for link in release.topic_links}
    if wanted == has.keys():
        return False
    mailable = is_mailable(release)
    for topic_id in has.keys() - wanted:
        _choose(session, release, topic_id, has[topic_id].first_sequence, actor, now, is_taken_off=True)
    release.topic_links = [link for link in release.topic_links if link.topic_id in wanted]
    added = []
    for topic_id in sorted(wanted - has.keys()):
        choice = _choose(session, release, topic_id, None, actor, now, is_taken_off=False)
        added.append(ReleaseTopic(topic_id=topic_id, first_sequence=choice.first_sequence))
    release.topic_links.extend(added)
    audit.record(session, actor, "release.topics", release.public_id, now, topics=sorted(slugs))
    session.flush()
    if mailable:
        renew_sequences(session, added)
    return True


def _choose(
    session: Session,
    release: Release,
    topic_id: int,
    first_sequence: int | None,
    actor: str,
    now: datetime,
    *,
    is_taken_off: bool,
) -> TopicChoice:
    """Remember a choice, with the first sequence that the pair ever had."""
    choice = session.get(TopicChoice, (release.id, topic_id))
    if choice is None:
        choice = TopicChoice(release_id=release.id, topic_id=topic_id)
        session.add(choice)
    choice.first_sequence = choice.first_sequence or first_sequence
    choice.is_taken_off = is_taken_off
    choice.set_by, choice.set_at = actor[:320], now
    return choice
