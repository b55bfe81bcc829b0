"""Enqueue deliveries: single emails, notices, test digests, and the digests of an issue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import case, literal, select
from sqlalchemy.orm import Session

from newsletter.models import (
    FIRST_NEWSLETTER,
    Delivery,
    DeliveryState,
    Issue,
    Lane,
    Subscriber,
    insert_new,
    rows_as_table,
)


def enqueue_single(
    session: Session,
    *,
    subscriber_id: int,
    template: str,
    context: Mapping[str, Any],
    purpose_key: str,
    language: str,
    now: datetime,
    newsletter_id: int | None = None,
) -> bool:
    """Enqueue one email to one subscriber, in the single lane, which is sent before digests.

    Returns False when this subscriber has a delivery with that `purpose_key` already, so a step that runs
    twice sends one email. `context` has the template's values except links: the worker makes the tokens, and
    none is stored. The newsletter is the one that the email is about; None if it is about the person, and
    then the first newsletter sends it. Commits nothing.
    """
    to = {"subscriber_id": subscriber_id, "newsletter_id": newsletter_id}
    return _enqueue(session, to, template, context, purpose_key, language, now)


def key_of_newsletter(purpose_key: str, newsletter_id: int) -> str:
    """Return the `purpose_key` of an email about one newsletter, so that each newsletter has its own.

    The key of the first newsletter has no suffix, because it has rows from before there were others.
    """
    return purpose_key if newsletter_id == FIRST_NEWSLETTER else f"{purpose_key}:n{newsletter_id}"


def enqueue_notice(
    session: Session,
    *,
    recipient: str,
    template: str,
    context: Mapping[str, Any],
    purpose_key: str,
    language: str,
    now: datetime,
    newsletter_id: int | None = None,
) -> bool:
    """Enqueue one email to an address that may be no subscriber's, such as the owner's.

    Returns False when this address has a delivery with that `purpose_key` already. `context` has the
    template's values except links, as with `enqueue_single`. Commits nothing.
    """
    to = {"recipient": recipient, "newsletter_id": newsletter_id}
    return _enqueue(session, to, template, context, purpose_key, language, now)


def _enqueue(
    session: Session,
    to: Mapping[str, int | str | None],
    template: str,
    context: Mapping[str, Any],
    purpose_key: str,
    language: str,
    now: datetime,
) -> bool:
    fresh = insert_new(session, Delivery).values(
        **to,
        lane=Lane.SINGLE,
        template=template,
        context=dict(context),
        purpose_key=purpose_key,
        language=language,
        state=DeliveryState.QUEUED,
        due_at=now,
        attempt=0,
        created_at=now,
    )
    return session.scalar(fresh.returning(Delivery.id)) is not None


class ToBeCorrected(Protocol):
    """A subscriber with an earlier text of a release: which revision, and the newsletter that sent it."""

    @property
    def subscriber_id(self) -> int: ...
    @property
    def newsletter_id(self) -> int: ...
    @property
    def revision(self) -> int: ...
    @property
    def language(self) -> str: ...


def enqueue_correction(
    session: Session, notice_id: int, recipients: Sequence[ToBeCorrected], now: datetime
) -> None:
    """Enqueue a correction notice for each recipient, unless they have one. Commits nothing."""
    rows = [
        {
            "subscriber_id": each.subscriber_id,
            "newsletter_id": each.newsletter_id,
            "lane": Lane.SINGLE,
            "template": "correction",
            "context": {"had": each.revision},
            "correction_notice_id": notice_id,
            "purpose_key": f"correction:{notice_id}",
            "language": each.language,
            "state": DeliveryState.QUEUED,
            "due_at": now,
            "attempt": 0,
            "created_at": now,
        }
        for each in recipients
    ]
    session.execute(insert_new(session, Delivery), rows)


def enqueue_test(
    session: Session,
    issue: Issue,
    rendition_id: int,
    recipient: str,
    purpose_key: str,
    language: str,
    now: datetime,
) -> None:
    """Enqueue a test digest to an address that may be no subscriber's. Commits nothing."""
    session.add(
        Delivery(
            lane=Lane.SINGLE,
            issue_id=issue.id,
            newsletter_id=issue.newsletter_id,
            rendition_id=rendition_id,
            recipient=recipient,
            purpose_key=purpose_key,
            language=language,
            state=DeliveryState.QUEUED,
            due_at=now,
            created_at=now,
        )
    )


def enqueue_issue(
    session: Session,
    issue_id: int,
    pairs: Sequence[tuple[int, int]],
    languages: Mapping[str, str],
    usual: str,
    now: datetime,
    due_at: datetime | None = None,
) -> int:
    """Enqueue an issue for a chunk of subscribers; return how many deliveries are new.

    `pairs` has subscriber ids and rendition ids. `languages` has the digest's language for each language tag
    of a subscriber; all other tags get `usual`. All deliveries are due now, or at `due_at`. A second call for
    the same subscriber adds no second delivery. Commits nothing.
    """
    if not pairs:
        return 0
    given = rows_as_table(session, {"subscriber_id": int, "rendition_id": int}, pairs)
    language = case(dict(languages), value=Subscriber.language, else_=usual) if languages else literal(usual)
    columns: dict[str, Any] = {
        "lane": literal(Lane.BULK, Delivery.lane.type),
        "issue_id": literal(issue_id),
        "subscriber_id": Subscriber.id,
        "rendition_id": given.c.rendition_id,
        "language": language,
        "state": literal(DeliveryState.QUEUED, Delivery.state.type),
        "due_at": literal(due_at or now, Delivery.due_at.type),
        "attempt": literal(0),
        "created_at": literal(now, Delivery.created_at.type),
    }
    chosen = select(*columns.values()).where(
        Subscriber.id == given.c.subscriber_id, Subscriber.email_key.is_not(None)
    )
    fresh = insert_new(session, Delivery, select_from=(list(columns), chosen))
    return session.connection().execute(fresh).rowcount
