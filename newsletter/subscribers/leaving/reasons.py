"""The reasons that people give after they unsubscribe: store one, and count them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import func, literal_column, select
from sqlalchemy.orm import Session

from newsletter.models import ConsentAct, ConsentEntry
from newsletter.subscribers.consent.ledger import note
from newsletter.subscribers.leaving.undo import describe_leaving, read_undo
from newsletter.subscribers.leaving.unsubscribe import Unsubscribed
from newsletter.subscribers.link import LinkFault
from newsletter.tokens import Tokens


class Reason(enum.StrEnum):
    """The reasons that the page offers after unsubscribing."""

    TOO_MANY = "too-many"
    NOT_RELEVANT = "not-relevant"
    NEVER_ASKED = "never-asked"
    NO_TIME = "no-time"
    ELSEWHERE = "elsewhere"
    OTHER = "other"


def give_reason(
    session: Session,
    tokens: Tokens,
    token: str,
    reason: Reason,
    now: datetime,
    ip_address: str | None = None,
) -> Unsubscribed | LinkFault:
    """Store the reason of an unsubscription, once for each; return that unsubscription.

    `token` is the undo token, which proves that this person unsubscribed. Commits nothing.
    """
    found = read_undo(session, tokens, token, now, lock=True)
    if isinstance(found, LinkFault):
        return found
    left_at = found.ended_at.astimezone(UTC).isoformat()
    said = session.scalars(
        select(ConsentEntry.detail).where(
            ConsentEntry.subscriber_id == found.subscriber.id, ConsentEntry.act == ConsentAct.REASONED
        )
    )
    if not any(each.get("left_at") == left_at for each in said):
        note(
            session, found.subscriber.id, ConsentAct.REASONED, "page", now,
            ip_address=ip_address, reason=reason.value, left_at=left_at,
        )  # fmt: skip
    return describe_leaving(session, found)


def count_reasons(session: Session, since: datetime) -> Mapping[Reason, int]:
    """Return how often each reason was given since `since`, without those that nobody gave."""
    named = ConsentEntry.detail["reason"].as_string()
    # A literal, not a parameter, so that the database can use the partial index of these few entries.
    given = ConsentEntry.act == literal_column("'reasoned'")
    counted = session.execute(
        select(named, func.count()).where(given, ConsentEntry.at >= since).group_by(named)
    )
    counts = {name: int(count) for name, count in counted}
    return {reason: counts[reason.value] for reason in Reason if reason.value in counts}
