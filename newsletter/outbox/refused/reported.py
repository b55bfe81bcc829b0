"""Record that an email came back which the relay had accepted. It is judged later, like all refusals."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import literal_column, select, update
from sqlalchemy.orm import Session

from newsletter import coverage
from newsletter.mail.redact import without_addresses
from newsletter.models import BounceVerdict, Delivery, DeliveryState, Issue, IssueState, Lane, Rendition

# Reports about one issue come one by one. If a relay is wrong about everybody, the others must be known
# before the first is judged.
WAIT_FOR_OTHERS = timedelta(hours=1)
# How many deliveries one call hands to the judge.
AT_ONCE = 1000
LONGEST_WORDS = 500


def record_reported(session: Session, delivery_id: int, status: str, words: str, now: datetime) -> bool:
    """Mark an accepted delivery as bounced by a report; return False if it was not accepted. Commits nothing.

    The time of the relay's reply stays. So the refusal is judged by the replies that came around that time.
    If the issue was cancelled, the releases of this delivery wait again (coverage.py).
    """
    issue_id = session.scalar(select(Delivery.issue_id).where(Delivery.id == delivery_id))
    # Issues are locked before deliveries, as everywhere (outbox/refused/ask_owner.py).
    locked = select(Issue.state).where(Issue.id == issue_id).with_for_update(key_share=True)
    cancelled = issue_id is not None and session.scalar(locked) is IssueState.CANCELLED
    accepted = (Delivery.id == delivery_id, Delivery.state == DeliveryState.ACCEPTED)
    held = select(Delivery.subscriber_id, Rendition.key).join(
        Rendition, Rendition.id == Delivery.rendition_id
    )
    pairs = session.execute(held.where(*accepted)).all() if cancelled else []
    put_back = [(subscriber_id, key) for subscriber_id, key in pairs if subscriber_id is not None]
    coverage.lock(session, [subscriber_id for subscriber_id, _ in put_back], moved=True)
    lane = session.scalar(select(Delivery.lane).where(Delivery.id == delivery_id))
    bounced = (
        update(Delivery)
        .where(*accepted)
        .values(
            state=DeliveryState.REJECTED,
            bounced_at=now,
            # As at the relay: single emails are not judged (outbox/record.py).
            verdict=BounceVerdict.REPORTED if lane is Lane.BULK else None,
            status=status or None,
            # The code was the relay's, which accepted the email.
            reply_code=None,
            reply_text=without_addresses(words)[:LONGEST_WORDS] or None,
        )
    )
    changed = session.connection().execute(bounced).rowcount > 0
    if changed:
        coverage.put_back(session, put_back)
    return changed


def hand_to_judge(session: Session, now: datetime) -> int:
    """Make reported bounces ready to be judged after `WAIT_FOR_OTHERS`; return how many. Commits nothing."""
    waiting = (
        select(Delivery.id)
        .where(
            Delivery.verdict == literal_column("'reported'"),
            Delivery.bounced_at <= now - WAIT_FOR_OTHERS,
        )
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    ready = update(Delivery).where(Delivery.id.in_(waiting)).values(verdict=BounceVerdict.UNJUDGED)
    return session.connection().execute(ready).rowcount
