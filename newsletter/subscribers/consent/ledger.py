"""Add entries to the consent ledger, and find a person's last request in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from newsletter.limits.keys import network_of, read_ip
from newsletter.models import (
    ConsentAct,
    ConsentEntry,
    Frequency,
    Newsletter,
    Subscriber,
    Topic,
)
from newsletter.settings import IPStorage
from newsletter.subscribers.consent.chain import Link, digest_of, utc_text


def kept_address(ip_address: str, storage: IPStorage) -> str | None:
    """Return what may be stored of an IP address: the address, its network (/24, /48), or None."""
    match storage:
        case IPStorage.WHOLE:
            ip = read_ip(ip_address)
            return None if ip is None else str(ip)
        case IPStorage.SHORT:
            network = network_of(ip_address)
            return None if network is None else network.partition("/")[0]
        case IPStorage.NONE:
            return None


# A person's public id and the digest of their last entry. Building this query takes longer than running it.
_BEFORE = select(
    Subscriber.public_id,
    select(ConsentEntry.digest)
    .where(ConsentEntry.subscriber_id == Subscriber.id)
    .order_by(ConsentEntry.id.desc())
    .limit(1)
    .scalar_subquery(),
).where(Subscriber.id == bindparam("person"))


def note(
    session: Session,
    subscriber_id: int,
    act: ConsentAct,
    how: str,
    now: datetime,
    *,
    wording: tuple[str, str] = ("", ""),
    ip_address: str | None = None,
    **detail: Any,
) -> None:
    """Add one entry to the ledger. `wording` is version and hash. Never put an address into `detail`.

    The caller holds the lock on this person's row, so that two entries never follow the same one.
    """
    version, text_hash = wording
    public_id, previous = session.execute(_BEFORE, {"person": subscriber_id}).one()
    detail_digest = digest_of(detail)
    link = Link(utc_text(now), act.value, how, version, text_hash, detail, detail_digest, "")
    session.add(
        ConsentEntry(
            subscriber_id=subscriber_id,
            at=now,
            act=act,
            how=how,
            wording_version=version,
            wording_hash=text_hash,
            ip_address=ip_address,
            detail=detail,
            digest=link.expected_digest(previous or "", public_id),
            detail_digest=detail_digest,
        )
    )


def note_topics(
    session: Session,
    subscriber_id: int,
    act: ConsentAct,
    how: str,
    now: datetime,
    chosen: Sequence[tuple[Topic, Frequency]],
    *,
    newsletter_id: int | None = None,
    **more: Any,
) -> None:
    """Add an entry about these topics for each newsletter that they belong to.

    Consent is given to a newsletter, so its slug is in the details. `newsletter_id` gets an entry even if
    none of the topics is its own. Without any topic or newsletter, there is one entry. `more` is as for
    `note`, which says what the caller must do.
    """
    parts: dict[int, dict[str, str]] = {} if newsletter_id is None else {newsletter_id: {}}
    for topic, frequency in chosen:
        parts.setdefault(topic.newsletter_id, {})[topic.slug] = frequency.value
    for number, topics in parts.items():
        slug = slug_of(session, number)
        note(session, subscriber_id, act, how, now, newsletter=slug, topics=topics, **more)
    if not parts:
        note(session, subscriber_id, act, how, now, topics={}, **more)


def slug_of(session: Session, newsletter_id: int) -> str:
    """Return the slug of a newsletter."""
    return session.get_one(Newsletter, newsletter_id).slug


def last_asked(session: Session, subscriber_id: int, topics: Collection[str]) -> ConsentEntry | None:
    """Return the entry of this person's last request for any of these topics (slugs).

    It has the wording that they saw and what they chose. A topic belongs to one newsletter, so a request for
    another newsletter is never meant.
    """
    asked = (
        select(ConsentEntry)
        .where(ConsentEntry.subscriber_id == subscriber_id, ConsentEntry.act == ConsentAct.ASKED)
        .order_by(ConsentEntry.id.desc())
    )
    wanted = set(topics)
    return next(
        (entry for entry in session.scalars(asked) if wanted & set(entry.detail.get("topics", ()))), None
    )
