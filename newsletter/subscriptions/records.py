"""What is kept of one person, as they may see it: mails they were sent, all their data, their consent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session, joinedload

from newsletter.errors import NotFound
from newsletter.models import (
    AddressChange,
    AddressMark,
    ConsentEntry,
    Delivery,
    DeliveryState,
    Issue,
    Release,
    Rendition,
    SignupRequest,
    Subscriber,
    Subscription,
    is_one_of,
)
from newsletter.models.paging import LAST_PAGE, Page
from newsletter.outbox.edition import read_key, release_ids
from newsletter.subscriptions.ledger import chain_is_whole, utc_text
from newsletter.subscriptions.suppressions import find_suppression
from newsletter.subscriptions.wordings import find_wording
from newsletter.tokens import Tokens

# A digest in one of these states was offered to the reader's provider, so they may want to look at it.
_OFFERED = (DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN, DeliveryState.REJECTED)


@dataclass(frozen=True)
class Publisher:
    """Who kept the record, as it names them."""

    name: str
    url: str
    postal_address: str


@dataclass(frozen=True)
class MyMail:
    """One mail to a reader; `title` is a digest's, `template` a single mail's, `reader_id` for its link."""

    delivery_id: int
    reader_id: str
    title: str
    template: str
    at: datetime
    state: DeliveryState
    came_back: bool
    viewable: bool


def own_rows(session: Session, subscriber: Subscriber) -> list[Subscriber]:
    """Return the reader's row, and those that a change of address joined with it, the oldest first."""
    found, fresh = {subscriber.id: subscriber}, [subscriber.id]
    while fresh:
        earlier = session.scalars(select(Subscriber).where(Subscriber.moved_to.in_(fresh))).all()
        fresh = [person.id for person in earlier if person.id not in found]
        found |= {person.id: person for person in earlier}
    return [found[number] for number in sorted(found)]


def my_mails(session: Session, subscriber: Subscriber, page: int, per_page: int = 25) -> Page[MyMail]:
    """Return what this reader was sent, or is about to be, the newest first."""
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
        MyMail(
            delivery_id=mail.id,
            reader_id=public_id,
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
    """Return all that is kept of a reader, as JSON values; times are UTC (ISO 8601)."""
    people = own_rows(session, subscriber)
    suppression = find_suppression(session, tokens, subscriber.email_key or "")
    return {
        "kind": "newsletter personal data",
        "version": 1,
        "made_at": utc_text(now),
        "newsletter": _publisher(publisher),
        "profile": _profile(subscriber),
        "subscriptions": _subscriptions(session, people),
        "consent": _entries(session, people),
        "wordings": _wordings(session, people),
        "mails": _mails(session, people),
        "pending": {"sign_ups": _requests(session, subscriber), "address_changes": _changes(session, people)},
        "not_mailed": suppression
        and {"reason": suppression.reason.value, "since": utc_text(suppression.since)},
        "marks": _marks(session, people),
    }


def consent_record(session: Session, public_id: str, publisher: Publisher, now: datetime) -> dict[str, Any]:
    """Return the consent of one person as JSON values, to be signed (signed_record.py) or printed.

    Raises NotFound.
    """
    subscriber = find_person(session, public_id)
    people = own_rows(session, subscriber)
    return {
        "kind": "newsletter consent record",
        "version": 1,
        "made_at": utc_text(now),
        "newsletter": _publisher(publisher),
        "person": _profile(subscriber),
        "entries": _entries(session, people),
        # The details of somebody erased are gone, and with them what the digests were made of.
        "entries_whole": None
        if subscriber.erased_at
        else all(chain_is_whole(each.public_id, _ledger(session, each)) for each in people),
        "wordings": _wordings(session, people),
        "subscriptions": _subscriptions(session, people),
    }


def find_person(session: Session, public_id: str) -> Subscriber:
    """Return somebody by the id that URLs have. Raises NotFound."""
    wanted = select(Subscriber).where(Subscriber.public_id == public_id)
    found = None if "\0" in public_id else session.scalars(wanted).one_or_none()
    if found is None:
        raise NotFound("no such reader")
    return found


def _time(moment: datetime | None) -> str | None:
    return utc_text(moment) if moment else None


def _publisher(publisher: Publisher) -> dict[str, str]:
    return {"name": publisher.name, "url": publisher.url, "postal_address": publisher.postal_address}


def _profile(subscriber: Subscriber) -> dict[str, Any]:
    return {
        "id": subscriber.public_id,
        "address": subscriber.email,
        "language": subscriber.language,
        "time_zone": subscriber.time_zone,
        "preferred_hour": subscriber.preferred_hour,
        "snoozed_until": _time(subscriber.snoozed_until),
        "first_seen_at": _time(subscriber.created_at),
        "confirmed_at": _time(subscriber.confirmed_at),
        "address_since": _time(subscriber.address_since),
        "erased_at": _time(subscriber.erased_at),
    }


def _ledger(session: Session, person: Subscriber) -> Sequence[ConsentEntry]:
    entries = select(ConsentEntry).where(ConsentEntry.subscriber_id == person.id).order_by(ConsentEntry.id)
    return session.scalars(entries).all()


def _entries(session: Session, people: Sequence[Subscriber]) -> list[dict[str, Any]]:
    return [
        {
            "person": person.public_id,
            "at": utc_text(entry.at),
            "act": entry.act.value,
            "how": entry.how,
            "wording": entry.wording_version,
            "wording_sha256": entry.wording_hash,
            "ip_address": entry.ip_address,
            "detail": entry.detail,
            "digest": entry.digest,
        }
        for person in people
        for entry in _ledger(session, person)
    ]


def _wordings(session: Session, people: Sequence[Subscriber]) -> list[dict[str, Any]]:
    """Return the full text of every version these people saw; `text` is None when nobody knows it now."""
    seen = dict.fromkeys(
        (entry.wording_version, entry.wording_hash)
        for person in people
        for entry in _ledger(session, person)
        if entry.wording_version
    )
    found = []
    for version, digest in seen:
        wording = find_wording(version)
        kept = wording is not None and wording.hash == digest
        found.append(
            {"version": version, "sha256": digest, "text": wording.text if wording and kept else None}
        )
    return found


def _subscriptions(session: Session, people: Sequence[Subscriber]) -> list[dict[str, Any]]:
    rows = (
        select(Subscription)
        .options(joinedload(Subscription.topic))
        .where(Subscription.subscriber_id.in_([person.id for person in people]))
        .order_by(Subscription.id)
    )
    return [
        {
            "topic": row.topic.slug,
            "name": row.topic.name,
            "frequency": row.frequency.value,
            "state": row.state.value,
            "asked_at": _time(row.created_at),
            "confirmed_at": _time(row.confirmed_at),
            "ended_at": _time(row.ended_at),
            "ended_reason": row.ended_reason.value if row.ended_reason else None,
        }
        for row in session.scalars(rows)
    ]


def _mails(session: Session, people: Sequence[Subscriber]) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Delivery, Issue.title, Rendition.key)
        .outerjoin(Issue, Issue.id == Delivery.issue_id)
        .outerjoin(Rendition, Rendition.id == Delivery.rendition_id)
        .where(Delivery.subscriber_id.in_([person.id for person in people]))
        .order_by(Delivery.id)
    ).all()
    titles = _release_titles(session, rows)
    return [
        {
            "title": title,
            "template": mail.template,
            "releases": [titles.get(each, "") for each in _release_ids(key)],
            "language": mail.language,
            "state": mail.state.value,
            "attempts": mail.attempt,
            "written_at": _time(mail.created_at),
            "settled_at": _time(mail.settled_at),
            "bounced_at": _time(mail.bounced_at),
            "complained_at": _time(mail.complained_at),
            "reply": " ".join(str(each) for each in (mail.reply_code, mail.reply_text) if each) or None,
            "content": mail.context,
        }
        for mail, title, key in rows
    ]


def _release_titles(session: Session, rows: Sequence[Row[Any]]) -> Mapping[int, str]:
    wanted = {each for _, _, key in rows for each in _release_ids(key)}
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
            "asked_at": _time(request.created_at),
        }
        for request in session.scalars(waiting.order_by(SignupRequest.id))
    ]


def _changes(session: Session, people: Sequence[Subscriber]) -> list[dict[str, Any]]:
    wishes = (
        select(AddressChange)
        .where(AddressChange.subscriber_id.in_([person.id for person in people]))
        .order_by(AddressChange.id)
    )
    return [
        {
            "address": wish.email,
            "way_back": wish.is_undo,
            "ip_address": wish.ip_address,
            "asked_at": _time(wish.created_at),
            "settled_at": _time(wish.settled_at),
        }
        for wish in session.scalars(wishes)
    ]


def _marks(session: Session, people: Sequence[Subscriber]) -> list[dict[str, Any]]:
    mine = AddressMark.subscriber_id.in_([person.id for person in people])
    marks = session.scalars(select(AddressMark).where(mine).order_by(AddressMark.id))
    return [{"kind": mark.kind.value, "since": _time(mark.since)} for mark in marks]
