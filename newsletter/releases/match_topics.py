"""Under which topics a text would come, before it is stored."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from newsletter.releases.decide import Candidate, matches
from newsletter.releases.topics import list_topics, rules_of


def topics_for(session: Session, texts: Sequence[tuple[str, str, str]]) -> list[list[str]]:
    """Return for each title, publisher and body the slugs of the topics whose rules match."""
    topics = [(each.slug, each.rule_match, rules_of(each)) for each in list_topics(session)]
    candidates = (Candidate(*each) for each in texts)
    return [[slug for slug, match, rules in topics if matches(each, match, rules)] for each in candidates]
