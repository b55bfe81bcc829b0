"""Under which topics a text would come, before it is stored."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from newsletter.releases.decide import Candidate
from newsletter.releases.topics.manage import list_topics, rule_set_of


def topics_for(session: Session, candidates: Sequence[Candidate]) -> list[list[str]]:
    """Return for each candidate the slugs of the topics whose rules match."""
    topics = [(each.slug, rule_set_of(each)) for each in list_topics(session)]
    return [[slug for slug, rules in topics if rules.matches(each)] for each in candidates]
