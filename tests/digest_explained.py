"""Explain a subscriber's next email in a test."""

from __future__ import annotations

from datetime import datetime

from house import House

from newsletter.digest.explain.explain import Explanation, explain
from newsletter.models import FIRST_NEWSLETTER, Subscriber


def explain_in(house: House, subscriber: int, when: datetime | None = None) -> Explanation:
    """Explain a subscriber's next email, or that of a moment."""
    parts = house.runtime
    identity = parts.identities.recent(parts.reading, FIRST_NEWSLETTER)
    with parts.reading() as session:
        key = session.get_one(Subscriber, subscriber).email_key or ""
        return explain(
            session, parts.tokens, key, identity,
            catch_up=parts.settings.snooze_catch_up, now=house.clock(), at=when,
        )  # fmt: skip
