"""Receive the events of webhook calls: each counts once, however often and in whichever call it comes.

A row remembers each event, and each call whose signature does not cover its events, until a repetition is too
old to count. The caller commits, and only then confirms the call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from newsletter.bounces.providers.event import Event
from newsletter.bounces.reports.match import SigningKeys, find_named
from newsletter.bounces.reports.receive import MOST_IDLE_A_DAY, receive_report
from newsletter.bounces.rules.policy import STALE
from newsletter.errors import CallRefused
from newsletter.models import Delivery, Issue, ReportOutcome, Subscriber, WebhookEvent, insert_new
from newsletter.notices import NoticeKind, find_open, open_notices, settle, tell_owner
from newsletter.tokens import Tokens

# After this time a report is stale, so its repetition changes nothing (bounces/rules/policy.py). No provider
# repeats a call for so long.
REMEMBERED = STALE + timedelta(days=1)


class Unsubscriber(NamedTuple):
    """A person who unsubscribed from a newsletter by the link of a provider in one email; None means all."""

    public_id: str
    delivery_id: int
    newsletter_id: int | None


class TopicState(NamedTuple):
    """Whether a topic of Amazon SNS posts to us, by a message that SNS made at `at`."""

    topic: str
    posts: bool
    at: datetime


def note_topic(session: Session, state: TopicState, now: datetime) -> None:
    """Tell the owner that a topic no longer posts to us; close that notice if it does. Commits nothing.

    Messages arrive in any order. So one from before the end of the subscription does not close the notice.
    """
    known = find_open(session, NoticeKind.WEBHOOK_ENDED, state.topic)
    if not state.posts:
        tell_owner(session, NoticeKind.WEBHOOK_ENDED, state.topic, now, ended_at=state.at.isoformat())
    elif known is not None and state.at > datetime.fromisoformat(known.detail["ended_at"]):
        settle(session, NoticeKind.WEBHOOK_ENDED, state.topic, now)


def forget_topics(session: Session, topics: Collection[str], now: datetime) -> None:
    """Close the notices about topics that are not in the settings any more. Commits nothing."""
    for each in open_notices(session, NoticeKind.WEBHOOK_ENDED):
        if each.subject not in topics:
            settle(session, NoticeKind.WEBHOOK_ENDED, each.subject, now)


def take_event(
    session: Session,
    tokens: Tokens,
    keys: SigningKeys,
    provider: str,
    event: Event,
    now: datetime,
    *,
    most_idle: int = MOST_IDLE_A_DAY,
) -> ReportOutcome:
    """Act on an event; return the outcome. Commits nothing."""
    if not event.counts or event.unsubscribes:
        return ReportOutcome.NOTHING
    if not _remember(session, _mark(provider, "event", event.key), now):
        return ReportOutcome.REPEATED
    signed_id = find_named(event.signed, keys)
    return receive_report(session, tokens, event.report, signed_id, event.raw, now, most_idle=most_idle)


def find_unsubscriber(
    session: Session, keys: SigningKeys, provider: str, event: Event, now: datetime
) -> Unsubscriber | None:
    """Return who unsubscribed by an event; None without a signed value, or if it was received before."""
    delivery_id = find_named(event.signed, keys)
    if delivery_id is None or not _remember(session, _mark(provider, "event", event.key), now):
        return None
    about = (
        select(Subscriber.public_id, Delivery.id, func.coalesce(Delivery.newsletter_id, Issue.newsletter_id))
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .outerjoin(Issue, Issue.id == Delivery.issue_id)
        .where(Delivery.id == delivery_id)
    )
    found = session.execute(about).one_or_none()
    return None if found is None else Unsubscriber(*found)


def take_call(session: Session, provider: str, call: str, events: Sequence[Event], now: datetime) -> None:
    """Remember a call whose signature does not cover its events. Commits nothing.

    Raises CallRefused if the call came before with other events. The same events again are no attack: the
    provider repeats a call whose confirmation was lost.
    """
    content = hashlib.sha256(b"\n".join(each.raw for each in events)).hexdigest()
    mark = _mark(provider, "call", call)
    if _remember(session, mark, now, content):
        return
    before = session.scalar(select(WebhookEvent.content).where(WebhookEvent.digest == mark))
    if before != content:
        raise CallRefused("replay")


def forget_events(session: Session, now: datetime) -> None:
    """Delete the rows of events that are too old to be repeated. Commits nothing."""
    old = delete(WebhookEvent).where(WebhookEvent.expires_at <= now)
    session.execute(old.execution_options(synchronize_session=False))


def _mark(provider: str, kind: str, key: str) -> str:
    return hashlib.sha256("\0".join((provider, kind, key)).encode("utf-8", "replace")).hexdigest()


def _remember(session: Session, mark: str, now: datetime, content: str = "") -> bool:
    """Insert the row of an event; return False if it is there already."""
    fresh = insert_new(session, WebhookEvent).values(
        digest=mark, content=content, expires_at=now + REMEMBERED
    )
    return session.scalar(fresh.returning(WebhookEvent.digest)) is not None
