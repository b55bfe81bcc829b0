"""Pause the subscriber of an unsubscribe link, instead of unsubscribing them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.subscribers.choices import pauses
from newsletter.subscribers.leaving.unsubscribe import read_unsubscribe_token
from newsletter.subscribers.link import LinkFault, find_link_subscriber, reaches_today
from newsletter.tokens import Tokens


@dataclass(frozen=True)
class Paused:
    """A subscriber who paused `until` a time. `trusted`: the link was sent to the present address."""

    email: str
    email_key: str
    public_id: str
    until: datetime | None
    trusted: bool


def pause_instead(
    session: Session,
    tokens: Tokens,
    token: str,
    weeks: int,
    now: datetime,
    ip_address: str | None = None,
) -> Paused | LinkFault:
    """Pause the subscriber of an unsubscribe link; `until` is None if there is nothing to pause.

    Commits nothing.
    """
    payload = read_unsubscribe_token(tokens, token, now)
    if isinstance(payload, LinkFault):
        return payload
    public_id, delivery_id, _, made_at = payload
    subscriber = find_link_subscriber(session, tokens, public_id, None, lock=True)
    if isinstance(subscriber, LinkFault):
        return subscriber
    done = pauses.pause(session, subscriber, weeks, now, "unsubscribe", ip_address)
    return Paused(
        subscriber.email or "",
        subscriber.email_key or "",
        subscriber.public_id,
        subscriber.snoozed_until if done else None,
        reaches_today(session, subscriber, made_at, delivery_id),
    )
