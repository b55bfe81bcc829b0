"""Export the personal data of one subscriber, and list the emails that they were sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter import suppression
from newsletter.models import (
    AddressChange,
    AddressMark,
    BounceStep,
    Delivery,
    DeliveryState,
    Issue,
    Release,
    Rendition,
    SignupRequest,
    Subscriber,
    is_one_of,
)
from newsletter.models.paging import LAST_PAGE, Page
from newsletter.models.release_languages import read_choice
from newsletter.models.rendition_key import read_key, release_ids
from newsletter.subscribers.consent.chain import utc_text
from newsletter.subscribers.consent.record import (
    Publisher,
    entries_part,
    newsletters_part,
    own_rows,
    profile_part,
    publisher_part,
    subscriptions_part,
    time_text,
    wordings_part,
)
from newsletter.tokens import Tokens

# In one of these states, a digest was offered to the subscriber's provider, so they may want to view it.
_OFFERED = (DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN, DeliveryState.REJECTED)


@dataclass(frozen=True)
class OwnEmail:
    """One email: a digest has `title`, a single email has `template`. Links need `subscriber_public_id`."""

    delivery_id: int
    subscriber_public_id: str
    title: str
    template: str
    at: datetime
    state: DeliveryState
    came_back: bool
    viewable: bool


def list_own_emails(
    session: Session, subscriber: Subscriber, page: int, per_page: int = 25
) -> Page[OwnEmail]:
    """Return one page of the emails that this subscriber was sent or will get, newest first."""
    theirs = Delivery.subscriber_id.in_([person.id for person in own_rows(session, subscriber)])
    total = session.scalar(select(func.count()).select_from(Delivery).where(theirs)) or 0
    page = min(max(page, 1), LAST_PAGE)
    rows = session.execute(
        select(Delivery, Issue.title, Issue.emptied_at, Subscriber.public_id)
        .outerjoin(Issue, Issue.id == Delivery.issue_id)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(theirs)
        .order_by(Delivery.id.desc())
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    mails = tuple(
        OwnEmail(
            delivery_id=mail.id,
            subscriber_public_id=public_id,
            title=title or "",
            template=mail.template or "",
            at=mail.settled_at or mail.due_at,
            state=mail.state,
            came_back=mail.bounced_at is not None,
            viewable=mail.rendition_id is not None and emptied_at is None and mail.state in _OFFERED,
        )
        for mail, title, emptied_at, public_id in rows
    )
    return Page(mails, page, per_page, total)


def personal_data(
    session: Session, tokens: Tokens, subscriber: Subscriber, publisher: Publisher, now: datetime
) -> dict[str, Any]:
    """Return all stored data of a subscriber as JSON values. Times are in UTC (ISO 8601)."""
    people = own_rows(session, subscriber)
    blocked = suppression.find(session, tokens, subscriber.email_key or "")
    return {
        "kind": "newsletter personal data",
        "version": 1,
        "made_at": utc_text(now),
        "newsletter": publisher_part(publisher),
        **newsletters_part(publisher),
        "profile": {
            **profile_part(subscriber),
            "release_languages": sorted(read_choice(subscriber.release_languages)),
            "clicks_agreed_at": time_text(subscriber.clicks_agreed_at),
        },
        "subscriptions": subscriptions_part(session, people, publisher),
        "consent": entries_part(session, people),
        "wordings": wordings_part(session, people),
        "mails": _mails(session, people),
        "pending": {"sign_ups": _requests(session, subscriber), "address_changes": _changes(session, people)},
        "not_mailed": blocked and {"reason": blocked.reason.value, "since": utc_text(blocked.since)},
        "marks": _marks(session, people),
        "returned_mail": _returned_mail(session, people),
    }


def _mails(session: Session, people: Sequence[Subscriber]) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Delivery, Issue.title, Rendition.key)
        .outerjoin(Issue, Issue.id == Delivery.issue_id)
        .outerjoin(Rendition, Rendition.id == Delivery.rendition_id)
        .where(Delivery.subscriber_id.in_([person.id for person in people]))
        .order_by(Delivery.id)
    ).all()
    titles = _release_titles(session, [key for _, _, key in rows])
    return [
        {
            "title": title,
            "template": mail.template,
            "releases": [titles.get(each, "") for each in _release_ids(key)],
            "language": mail.language,
            "state": mail.state.value,
            "attempts": mail.attempt,
            "written_at": time_text(mail.created_at),
            "settled_at": time_text(mail.settled_at),
            "bounced_at": time_text(mail.bounced_at),
            "complained_at": time_text(mail.complained_at),
            "reply": " ".join(str(each) for each in (mail.reply_code, mail.reply_text) if each) or None,
            "content": mail.context,
        }
        for mail, title, key in rows
    ]


def _release_titles(session: Session, keys: Sequence[str | None]) -> Mapping[int, str]:
    wanted = {each for key in keys for each in _release_ids(key)}
    found = select(Release.id, Release.title).where(is_one_of(session, Release.id, wanted))
    return {number: title for number, title in session.execute(found)}


def _release_ids(key: str | None) -> Sequence[int]:
    return release_ids(read_key(key)) if key else ()


def _requests(session: Session, subscriber: Subscriber) -> list[dict[str, Any]]:
    waiting = select(SignupRequest).where(SignupRequest.email_key == subscriber.email_key)
    return [
        {
            "kind": request.kind,
            "address": request.email,
            "choices": request.choices,
            "ip_address": request.ip_address,
            "asked_at": time_text(request.created_at),
        }
        for request in session.scalars(waiting.order_by(SignupRequest.id))
    ]


def _changes(session: Session, people: Sequence[Subscriber]) -> list[dict[str, Any]]:
    changes = (
        select(AddressChange)
        .where(AddressChange.subscriber_id.in_([person.id for person in people]))
        .order_by(AddressChange.id)
    )
    return [
        {
            "address": change.email,
            "way_back": change.is_undo,
            "ip_address": change.ip_address,
            "asked_at": time_text(change.created_at),
            "settled_at": time_text(change.settled_at),
        }
        for change in session.scalars(changes)
    ]


def _marks(session: Session, people: Sequence[Subscriber]) -> list[dict[str, Any]]:
    mine = AddressMark.subscriber_id.in_([person.id for person in people])
    marks = session.scalars(select(AddressMark).where(mine).order_by(AddressMark.id))
    return [{"kind": mark.kind.value, "since": time_text(mark.since)} for mark in marks]


def _returned_mail(session: Session, people: Sequence[Subscriber]) -> list[dict[str, Any]]:
    """Return the steps of the history of emails that came back: failures, probes, suppressions."""
    mine = BounceStep.subscriber_id.in_([person.id for person in people])
    return [
        {
            "at": time_text(step.at),
            "step": step.kind.value,
            "reason": step.reason or None,
            "status": step.status or None,
            "undone_at": time_text(step.undone_at),
        }
        for step in session.scalars(select(BounceStep).where(mine).order_by(BounceStep.id))
    ]
