"""Remove a rule for a domain. For the people whom it stopped, that is like the end of a pause."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter import coverage
from newsletter.address_rules.pattern import Pattern
from newsletter.address_rules.rules import find_rule, remove_rule
from newsletter.models import StoppedSubscriber, is_one_of

AT_ONCE = 500


def end_rule(session: Session, pattern: Pattern, actor: str, now: datetime, newest: int) -> Iterator[int]:
    """Remove the rule of a pattern, part by part; return how many people it stopped so far. Commits nothing.

    They still get the `newest` releases of each topic. The caller commits after each part. The rule is
    removed last, so after a crash the call can be repeated. Raises NotFound.
    """
    rule_id, count = find_rule(session, pattern).id, 0
    mine = select(StoppedSubscriber.subscriber_id).where(StoppedSubscriber.rule_id == rule_id)
    while people := session.scalars(mine.order_by(StoppedSubscriber.subscriber_id).limit(AT_ONCE)).all():
        coverage.lock(session, people)
        for subscriber_id in people:
            coverage.skip_ahead(session, subscriber_id, newest)
        done = delete(StoppedSubscriber).where(
            StoppedSubscriber.rule_id == rule_id, is_one_of(session, StoppedSubscriber.subscriber_id, people)
        )
        session.execute(done.execution_options(synchronize_session=False))
        count += len(people)
        yield count
    remove_rule(session, pattern, actor, now)
    yield count
