"""What the owner is told about refused addresses, and which domains wait for the answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from newsletter import notices
from newsletter.models import BounceVerdict, Delivery, DeliveryState, Lane, is_single
from newsletter.notices import NoticeKind
from newsletter.outbox.lease import postpone
from newsletter.outbox.messages import Claimed

# So many confirmations refused in a row, with none accepted, are told to the owner.
CONFIRMATIONS = 10
# How soon digests to a domain that waits for the owner's answer are looked at again.
HELD_AGAIN = timedelta(minutes=10)


def held_domains(session: Session) -> set[str]:
    """Return the domains whose emails wait for the owner's answer."""
    return {each.subject for each in notices.open_notices(session, NoticeKind.DOMAIN_REFUSES)}


def hold_domains(session: Session, claimed: Sequence[Claimed], worker: str, now: datetime) -> set[int]:
    """Queue claimed digests again whose domains wait for the owner's answer; return their ids."""
    held = held_domains(session)
    waiting = {
        each.id
        for each in claimed
        if held and each.lane is Lane.BULK and (each.email_key or "").rpartition("@")[2] in held
    }
    if waiting:
        postpone(session, [(each, now + HELD_AGAIN) for each in sorted(waiting)], worker)
    return waiting


def tell_about_relay(session: Session, name: str, relay: int, paused: Sequence[str], now: datetime) -> None:
    """Tell the owner that a relay is wrong, with the number of refusals and the issues that it paused."""
    there = notices.find_open(session, NoticeKind.RELAY_REFUSES, name)
    before = list(there.detail.get("issues", [])) if there else []
    refused = session.scalar(
        select(func.count()).where(
            Delivery.verdict == BounceVerdict.RELAY,
            Delivery.state == DeliveryState.REJECTED,
            Delivery.relay_key == relay,
        )
    )
    issues = [*before, *(each for each in paused if each not in before)]
    notices.tell_owner(
        session, NoticeKind.RELAY_REFUSES, name, now, refused=refused or 0, issues=issues, relay=relay
    )


def tell_about_domain(session: Session, domain: str, number: int, now: datetime) -> None:
    """Tell the owner that a domain is wrong, with the number of refusals."""
    refused = session.scalar(
        select(func.count()).where(
            Delivery.verdict == BounceVerdict.DOMAIN,
            Delivery.state == DeliveryState.REJECTED,
            Delivery.domain_key == number,
        )
    )
    notices.tell_owner(
        session, NoticeKind.DOMAIN_REFUSES, domain, now, refused=refused or 0, domain=number, issues=[]
    )


def look_at_confirmations(session: Session, now: datetime) -> None:
    """Tell the owner when the last confirmations were all refused. It suppresses and pauses nothing."""
    asked = (is_single(), Delivery.template.in_(("confirm", "reminder")))
    refused = session.execute(
        select(Delivery.due_at, Delivery.settled_at)
        .where(*asked, Delivery.state == DeliveryState.REJECTED, Delivery.bounced_at.is_not(None))
        .order_by(Delivery.due_at.desc(), Delivery.id.desc())
        .limit(CONFIRMATIONS)
    ).all()
    open_one = notices.find_open(session, NoticeKind.CONFIRMATIONS_REFUSED, "")
    if len(refused) < CONFIRMATIONS:
        return
    since = min(due_at for due_at, _ in refused)
    accepted = exists().where(*asked, Delivery.state == DeliveryState.ACCEPTED, Delivery.due_at >= since)
    if session.scalar(select(accepted)):
        if open_one is not None:
            notices.settle(session, NoticeKind.CONFIRMATIONS_REFUSED, "", now)
    elif open_one is None and refused[0].settled_at is not None:
        notices.tell_owner(session, NoticeKind.CONFIRMATIONS_REFUSED, "", now, refused=CONFIRMATIONS)
