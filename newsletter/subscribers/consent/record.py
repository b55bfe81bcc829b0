"""The consent record of one person: ledger entries, the wordings they saw, and their subscriptions.

It consists of JSON values, to be signed (signature.py) or printed. Times are in UTC (ISO 8601).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from newsletter.errors import NotFound
from newsletter.identity import Identity
from newsletter.models import ConsentEntry, Subscriber, Subscription
from newsletter.subscribers.consent.chain import Proof, proof_of, utc_text
from newsletter.subscribers.consent.wording import find_wording


@dataclass(frozen=True)
class Publisher:
    """The publisher of the newsletter, who keeps the record.

    `newsletters` has the slug and the name of each newsletter by its id; it is empty if there is one.
    """

    name: str
    url: str
    postal_address: str
    newsletters: Mapping[int, tuple[str, str]] = field(default_factory=dict)


def names_of(newsletters: Sequence[Identity]) -> Mapping[int, tuple[str, str]]:
    """Return the slug and the name of each newsletter by its id; nothing if there is only one."""
    if len(newsletters) == 1:
        return {}
    return {each.newsletter_id: (each.slug, each.name) for each in newsletters}


def consent_record(session: Session, public_id: str, publisher: Publisher, now: datetime) -> dict[str, Any]:
    """Return the consent record of one person. Raises NotFound."""
    subscriber = find_person(session, public_id)
    people = own_rows(session, subscriber)
    return {
        "kind": "newsletter consent record",
        # 2: entries may have `detail_sha256`, and then their digests cover it instead of `detail`.
        "version": 2,
        "made_at": utc_text(now),
        "newsletter": publisher_part(publisher),
        **newsletters_part(publisher),
        "person": profile_part(subscriber),
        "entries": entries_part(session, people),
        "entries_whole": _entries_whole(session, people),
        "wordings": wordings_part(session, people),
        "subscriptions": subscriptions_part(session, people, publisher),
    }


def _entries_whole(session: Session, people: Sequence[Subscriber]) -> bool | None:
    """Return whether the digests of all these rows match.

    None means that they match as far as can be checked. The person was erased, so entries of the older form
    lost the details that their digests cover.
    """
    proofs = {
        proof_of(each.public_id, ledger_of(session, each), erased=each.erased_at is not None)
        for each in people
    }
    if Proof.BROKEN in proofs:
        return False
    return None if Proof.PARTLY in proofs else True


def find_person(session: Session, public_id: str) -> Subscriber:
    """Return the subscriber with this public id. Raises NotFound."""
    wanted = select(Subscriber).where(Subscriber.public_id == public_id)
    found = None if "\0" in public_id else session.scalars(wanted).one_or_none()
    if found is None:
        raise NotFound("no such subscriber")
    return found


def own_rows(session: Session, subscriber: Subscriber) -> list[Subscriber]:
    """Return the subscriber's row and those that an earlier version merged into it, oldest first."""
    found, fresh = {subscriber.id: subscriber}, [subscriber.id]
    while fresh:
        earlier = session.scalars(select(Subscriber).where(Subscriber.moved_to.in_(fresh))).all()
        fresh = [person.id for person in earlier if person.id not in found]
        found |= {person.id: person for person in earlier}
    return [found[number] for number in sorted(found)]


def time_text(moment: datetime | None) -> str | None:
    """Return a time in the format of `utc_text`, or None for None."""
    return utc_text(moment) if moment else None


def publisher_part(publisher: Publisher) -> dict[str, str]:
    """Return the publisher as JSON values."""
    return {"name": publisher.name, "url": publisher.url, "postal_address": publisher.postal_address}


def newsletters_part(publisher: Publisher) -> dict[str, Any]:
    """Return the name of each newsletter by its slug, as one more part; nothing if there is only one."""
    names = dict(publisher.newsletters.values())
    return {"newsletters": names} if names else {}


def profile_part(subscriber: Subscriber) -> dict[str, Any]:
    """Return the person of the record and their settings."""
    return {
        "id": subscriber.public_id,
        "address": subscriber.email,
        "language": subscriber.language,
        "time_zone": subscriber.time_zone,
        "preferred_hour": subscriber.preferred_hour,
        "snoozed_until": time_text(subscriber.snoozed_until),
        "first_seen_at": time_text(subscriber.created_at),
        "confirmed_at": time_text(subscriber.confirmed_at),
        "address_since": time_text(subscriber.address_since),
        "erased_at": time_text(subscriber.erased_at),
        "emptied_at": time_text(subscriber.emptied_at),
    }


def ledger_of(session: Session, person: Subscriber) -> Sequence[ConsentEntry]:
    """Return the ledger entries of one row, oldest first."""
    entries = select(ConsentEntry).where(ConsentEntry.subscriber_id == person.id).order_by(ConsentEntry.id)
    return session.scalars(entries).all()


def entries_part(session: Session, people: Sequence[Subscriber]) -> list[dict[str, Any]]:
    """Return every ledger entry of these rows with its digest."""
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
            "detail_sha256": entry.detail_digest,
            "digest": entry.digest,
        }
        for person in people
        for entry in ledger_of(session, person)
    ]


def wordings_part(session: Session, people: Sequence[Subscriber]) -> list[dict[str, Any]]:
    """Return the full text of each wording that these people saw; `text` is None if it is not known."""
    seen = dict.fromkeys(
        (entry.wording_version, entry.wording_hash)
        for person in people
        for entry in ledger_of(session, person)
        if entry.wording_version
    )
    found = []
    for version, digest in seen:
        wording = find_wording(session, version)
        kept = wording is not None and wording.hash == digest
        found.append(
            {"version": version, "sha256": digest, "text": wording.text if wording and kept else None}
        )
    return found


def subscriptions_part(
    session: Session, people: Sequence[Subscriber], publisher: Publisher
) -> list[dict[str, Any]]:
    """Return all subscriptions of these rows, ended ones included.

    If there are several newsletters, each names its own by the slug.
    """
    slugs = {number: slug for number, (slug, _) in publisher.newsletters.items()}
    rows = (
        select(Subscription)
        .options(joinedload(Subscription.topic))
        .where(Subscription.subscriber_id.in_([person.id for person in people]))
        .order_by(Subscription.id)
    )
    return [
        {
            **({"newsletter": slugs[row.newsletter_id]} if row.newsletter_id in slugs else {}),
            "topic": row.topic.slug,
            "name": row.topic.name,
            "frequency": row.frequency.value,
            "state": row.state.value,
            "asked_at": time_text(row.created_at),
            "confirmed_at": time_text(row.confirmed_at),
            "ended_at": time_text(row.ended_at),
            "ended_reason": row.ended_reason.value if row.ended_reason else None,
        }
        for row in session.scalars(rows)
    ]
