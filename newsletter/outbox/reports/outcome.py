"""What became of an issue: who did not get it and why, who unsubscribed, and what came back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.models import Delivery, DeliveryState, EndedReason, Issue, Subscription

# The states of people who did not get it, or may not have got it.
NOT_RECEIVED = (
    DeliveryState.REJECTED,
    DeliveryState.DEFERRED,
    DeliveryState.UNCERTAIN,
    DeliveryState.SKIPPED,
    DeliveryState.CANCELLED,
)
MOST_REASONS = 10


@dataclass(frozen=True)
class Reason:
    """Why some people did not get an issue: the state of their deliveries, and what the relay said.

    `reply` is one of the replies with this code and status.
    """

    state: DeliveryState
    reply_code: int | None
    status: str
    reply: str
    people: int


@dataclass(frozen=True)
class Outcome:
    """What became of an issue. `unsubscribed` counts people who used a link or header of one of its emails.

    `bounced` and `complained` count returned mail about its emails.
    """

    unsubscribed: int
    bounced: int
    complained: int
    reasons: Sequence[Reason]


def read_outcome(session: Session, issue: Issue) -> Outcome:
    """Return the results of an issue so far, with the most frequent reasons of refusals."""
    mine = Delivery.issue_id == issue.id
    left = (
        select(func.count(Subscription.subscriber_id.distinct()))
        .join(Delivery, Delivery.id == Subscription.ended_delivery_id)
        .where(
            mine,
            Subscription.ended_reason == EndedReason.UNSUBSCRIBED,
            # The index of ended subscriptions is by time.
            Subscription.ended_at >= issue.created_at,
        )
    )
    return Outcome(
        unsubscribed=session.scalar(left) or 0,
        bounced=session.scalar(select(func.count()).where(mine, Delivery.bounced_at.is_not(None))) or 0,
        complained=session.scalar(select(func.count()).where(mine, Delivery.complained_at.is_not(None))) or 0,
        reasons=_reasons(session, issue.id),
    )


def _reasons(session: Session, issue_id: int) -> list[Reason]:
    people = func.count()
    found = session.execute(
        select(
            Delivery.state,
            Delivery.reply_code,
            func.coalesce(Delivery.status, ""),
            func.max(Delivery.reply_text),
            people,
        )
        .where(Delivery.issue_id == issue_id, Delivery.state.in_(NOT_RECEIVED))
        .group_by(Delivery.state, Delivery.reply_code, Delivery.status)
        .order_by(people.desc(), Delivery.state, Delivery.reply_code, Delivery.status)
        .limit(MOST_REASONS)
    )
    return [Reason(state, code, status, reply or "", count) for state, code, status, reply, count in found]
